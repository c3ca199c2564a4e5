# SPDX-License-Identifier: GPL-2.0-only
#
# Read at the end of common/verity (see README.md): btrfs refuses fs-verity on encrypted files.

if [ "$FSTYP" = btrfs ]; then

if ! declare -F _scratch_mkfs_encrypted_verity >/dev/null; then
	_fatal "enokey: common/verity has no _scratch_mkfs_encrypted_verity; fstests-overrides/common does not fit this tree"
fi

_scratch_mkfs_encrypted_verity()
{
	_notrun "btrfs does not support fs-verity on encrypted files"
}

fi
