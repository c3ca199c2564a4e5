#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Puts a built fstests tree and fstests-overrides/ into one ext4 image for a guest. See README.md.
#
#   pack.sh BUILT.tar OVERRIDES OUTPUT.ext4
#
# Needs no privilege. For every OVERRIDES/common/NAME.sh one line is appended to the tree's common/NAME, so that
# our functions are read after upstream's. Nothing of upstream's is edited.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "pack.sh: $*" >&2
	exit 2
}

[ $# -eq 3 ] || die "usage: pack.sh BUILT.tar OVERRIDES OUTPUT.ext4"
built=$(realpath -e -- "$1") || die "$1: no such file"
overrides=$(realpath -e -- "$2") || die "$2: no such folder"
output=$(realpath -m -- "$3")

# In a user namespace the files are root's, whoever runs this.
if [ -z "${ENOKEY_FSTESTS_INSIDE:-}" ] && [ "$(id -u)" -ne 0 ]; then
	ENOKEY_FSTESTS_INSIDE=1 exec unshare --user --map-root-user -- bash "$here/pack.sh" "$built" "$overrides" "$output"
fi

tree=$output.tree
rm -rf "$tree"
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"
tar -xf "$built" -C "$tree" --no-same-owner

mkdir -p "$tree/enokey/variants"
cp -R -- "$overrides/common" "$tree/enokey/common"
for hook in "$overrides"/common/*.sh; do
	[ -e "$hook" ] || continue
	name=$(basename "$hook" .sh)
	[ -f "$tree/common/$name" ] || continue
	# shellcheck disable=SC2016
	printf '\n# Appended by enokey: btrfs support, see enokey/common.\n. "${here:-.}/enokey/common/%s.sh"\n' "$name" \
		>>"$tree/common/$name"
done
for variant in "$overrides"/*/tests; do
	[ -d "$variant" ] || continue
	name=$(basename "$(dirname "$variant")")
	[ "$name" = common ] || { mkdir -p "$tree/enokey/variants/$name" && cp -R -- "$variant" "$tree/enokey/variants/$name/tests"; }
done

size=$(($(du -sm --apparent-size "$tree" | cut -f1) * 3 / 2 + 64))
rm -f "$output"
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0,lazy_itable_init=1,nodiscard -L enokey-fstests -m 0 \
	-N 65536 -d "$tree" "$output" "${size}M"
