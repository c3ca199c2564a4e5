#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Builds an fstests tree in a root of the guest image's suite. See README.md.
#
#   build.sh SOURCES TREE.tar OUTPUT.tar [ROOT.tar]
#
#   SOURCES     apt sources of trixie and trixie-backports (.sources or .list)
#   TREE.tar    the tree as git archive writes it, without a prefix
#   OUTPUT.tar  the built tree, with the shared libraries that it needs below enokey/lib
#   ROOT.tar    the build root is taken from here if it is there, and kept here if it is not
#
# As root, or as a user with a range in /etc/subuid and /etc/subgid (package uidmap). Everything happens on
# a tmpfs in a mount and pid namespace of its own: whatever ends this script, nothing stays behind.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "build.sh: $*" >&2
	exit 2
}

[ $# -eq 3 ] || [ $# -eq 4 ] || die "usage: build.sh SOURCES TREE.tar OUTPUT.tar [ROOT.tar]"
sources=$(realpath -e -- "$1") || die "$1: no such file"
tree=$(realpath -e -- "$2") || die "$2: no such file"
output=$(realpath -m -- "$3")
cached=${4:+$(realpath -m -- "$4")}
jobs=${JOBS:-$(nproc)}
for tool in mmdebstrap tar setpriv unshare chroot; do
	command -v "$tool" >/dev/null || die "$tool is missing"
done

# First pass: enter the namespaces. unshare blocks SIGTERM; --pdeathsig ends it with whoever called us, and
# --kill-child ends everything below it.
if [ -z "${ENOKEY_FSTESTS_INSIDE:-}" ]; then
	namespaces=(--mount --pid --fork --kill-child --propagation private)
	[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user --map-auto)
	ENOKEY_FSTESTS_INSIDE=1 exec setpriv --pdeathsig KILL -- unshare "${namespaces[@]}" -- bash "$here/build.sh" \
		"$sources" "$tree" "$output" ${cached:+"$cached"}
fi

work=$(dirname "$output")/.work
mkdir -p "$work"
mount -t tmpfs -o size=3g,mode=755 tmpfs "$work"
mount -t proc proc /proc
mkdir "$work/root" "$work/tmp"
export TMPDIR=$work/tmp
root=$work/root

if [ -n "$cached" ] && [ -f "$cached" ]; then
	echo "build root: $cached"
	tar -xf "$cached" -C "$root" --numeric-owner
else
	packages=$(sed -e 's/#.*//' "$here/packages.txt" | xargs | tr ' ' ,)
	mmdebstrap --mode=root --variant=apt --format=directory --include="$packages" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		--aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
		trixie "$root" "$sources"
	rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/etc/apt/sources.list.d/*
	if [ -n "$cached" ]; then
		tar -cf "$cached.part.$$" -C "$root" --numeric-owner --exclude=./dev --one-file-system .
		mv -f "$cached.part.$$" "$cached"
	fi
fi
mkdir -p "$root/dev" "$root/build"
mount --rbind /dev "$root/dev"
mkdir -p "$root/proc"
mount -t proc proc "$root/proc"
tar -xf "$tree" -C "$root/build" --no-same-owner

echo "make -j$jobs"
chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	make -C /build "-j$jobs"

# What programs of the tree are linked with, but for the C library, which every guest has.
cat >"$root/collect" <<'EOF'
set -eu
mkdir -p /build/enokey/lib
find /build -type f \( -perm -100 -o -name '*.so*' \) ! -name '*.sh' -exec sh -c '
	for file; do
		[ "$(head -c 4 "$file" | od -An -tx1)" = " 7f 45 4c 46" ] && ldd "$file" 2>/dev/null
	done' _ {} + |
	awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
	grep -vE '/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|gcc_s|resolv)\.so[.0-9]*)$' |
	while read -r library; do cp -L "$library" /build/enokey/lib/; done
EOF
chroot "$root" sh /collect
find "$root/build" \( -name '*.o' -o -name '*.lo' -o -name '.dep' -o -name 'autom4te.cache' \) -prune -exec rm -rf {} +
tar -cf "$output" -C "$root/build" --sort=name --numeric-owner --owner=0 --group=0 .
