# SPDX-License-Identifier: GPL-2.0-only
#
# btrfs support for the tests of fstests' encrypt group. Read at the end of common/encrypt (see README.md), so every
# function below is upstream's, kept under another name and called for all other file systems.
#
# btrfs with per-extent keys differs from ext4 and f2fs in what follows:
#   - v2 policies only; FS_IOC_SET_ENCRYPTION_POLICY refuses v1, DIRECT_KEY and IV_INO_LBLK_* with EINVAL;
#   - mkfs needs no flag: the kernel sets the incompat bit with the first policy;
#   - contents are encrypted with a key an extent, derived from the extent's own nonce (item FSCRYPT_CTX), names with
#     the key of the directory's nonce (item FSCRYPT_INODE_CTX);
#   - FIEMAP reports logical addresses, which the chunk tree maps to the device.
#
# What each override was checked against stands in overrides.yaml.

if [ "$FSTYP" = btrfs ]; then

_enokey_common="${here:-.}/enokey/common"

# Keeps upstream's function NAME as _enokey_upstream_NAME. An override whose function is gone must not pass silently.
_enokey_keep()
{
	local body

	if ! body=$(declare -f "$1"); then
		_fatal "enokey: common/encrypt has no $1; fstests-overrides/common does not fit this tree"
	fi
	eval "_enokey_upstream_$body"
}

# True when FUNCTION exists: trees of before and after a split of it differ in what they have.
_enokey_has()
{
	declare -F "$1" >/dev/null
}

_enokey_v1_notrun()
{
	_notrun "btrfs takes v2 encryption policies only, and this test needs v1"
}

# One item of the file system tree as hex digits: DEVICE INODE TYPE-NUMBER [KEY-OFFSET].
_enokey_item()
{
	perl "$_enokey_common/btrfs-raw.pl" item "$@" 2>>$seqres.full
}

_enokey_keep _scratch_mkfs_encrypted
_scratch_mkfs_encrypted()
{
	_scratch_mkfs "$@"
}

_enokey_keep _scratch_mkfs_sized_encrypted
_scratch_mkfs_sized_encrypted()
{
	_scratch_mkfs_sized "$@"
}

# Inode numbers in IVs need IV_INO_LBLK_*, which btrfs refuses; the test then says so by itself.
_enokey_keep _scratch_mkfs_stable_inodes_encrypted
_scratch_mkfs_stable_inodes_encrypted()
{
	_scratch_mkfs_encrypted
}

# Upstream's checks first: on a kernel without btrfs encryption that is the reason to give.
_enokey_keep _require_scratch_encryption
_require_scratch_encryption()
{
	local previous="" word version=1

	_enokey_upstream__require_scratch_encryption "$@"
	for word; do
		[ "$previous" = -v ] && version=$word
		previous=$word
	done
	[ "$version" = 2 ] || _enokey_v1_notrun
}

# A v1 key descriptor has 16 hex digits, a v2 key identifier 32. Tests that require v2 may use v1 as well.
_enokey_keep _set_encpolicy
_set_encpolicy()
{
	[[ ${2:-} =~ ^[[:xdigit:]]{16}$ ]] && _enokey_v1_notrun
	_enokey_upstream__set_encpolicy "$@"
}

_enokey_keep _user_do_set_encpolicy
_user_do_set_encpolicy()
{
	[[ ${2:-} =~ ^[[:xdigit:]]{16}$ ]] && _enokey_v1_notrun
	_enokey_upstream__user_do_set_encpolicy "$@"
}

# The nonce is the last 16 bytes of a context, of an inode's (key type 41) and of an extent's (42) alike; in the line
# of hex digits that _enokey_item prints, the last 32 before the newline.
_enokey_inode_nonce()
{
	_enokey_item "$1" "$2" 41 | tail -c 33
}

_enokey_extent_nonce()
{
	_enokey_item "$1" "$2" 42 0 | tail -c 33
}

# Newer trees ask for "the nonce" of a file and mean that of its contents where it has contents.
if _enokey_has _get_encryption_nonce; then
	_enokey_keep _get_encryption_nonce
	_get_encryption_nonce()
	{
		local nonce

		nonce=$(_enokey_extent_nonce "$1" "$2")
		[ -n "$nonce" ] || nonce=$(_enokey_inode_nonce "$1" "$2")
		echo -n "$nonce"
	}
else
	_enokey_keep _get_encryption_file_nonce
	_get_encryption_file_nonce()
	{
		_enokey_inode_nonce "$@"
	}
	_enokey_keep _get_encryption_data_nonce
	_get_encryption_data_nonce()
	{
		_enokey_extent_nonce "$@"
	}
fi

_enokey_keep _require_get_encryption_nonce_support
_require_get_encryption_nonce_support()
{
	_require_command "$BTRFS_UTIL_PROG" btrfs
	perl -MDigest::SHA -e 1 &>/dev/null || _notrun "perl has no Digest::SHA"
}

# The name in the inode's back reference (INODE_REF, key offset: the directory), after its 8-byte index and length.
_enokey_keep _get_ciphertext_filename
_get_ciphertext_filename()
{
	_enokey_item "$1" "$2" 12 "$3" | tail -c +21 | perl -ne 'chomp; print pack "H*", $_'
}

_enokey_keep _require_get_ciphertext_filename_support
_require_get_ciphertext_filename_support()
{
	_require_command "$BTRFS_UTIL_PROG" btrfs
}

# Block lists hold logical addresses; they are mapped when the data is read.
_enokey_keep _dump_ciphertext_blocks
_dump_ciphertext_blocks()
{
	perl "$_enokey_common/btrfs-raw.pl" sectors "$1" "$2" 2>>$seqres.full
}

# Upstream's verification as it is, with a fscrypt-crypt-util that knows how an extent's key is derived.
_enokey_keep _do_verify_ciphertext_for_encryption_policy
_do_verify_ciphertext_for_encryption_policy()
{
	local ENOKEY_CRYPT_UTIL="$here/src/fscrypt-crypt-util"
	local here="$_enokey_common/shadow"

	export ENOKEY_CRYPT_UTIL
	_enokey_upstream__do_verify_ciphertext_for_encryption_policy "$@"
}

fi
