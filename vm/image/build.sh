#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Builds the guest's root file system: a raw ext4 image. See README.md.
#
#   build.sh SOURCES OUTPUT        SOURCES: apt sources of trixie and trixie-backports (.sources or .list)
#
# As root, or as a user with a range in /etc/subuid and /etc/subgid (package uidmap). Everything happens on
# a tmpfs in a mount and pid namespace of its own: whatever ends this script, nothing stays behind but,
# perhaps, OUTPUT.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
	echo "build.sh: $*" >&2
	exit 2
}

[ $# -eq 2 ] || die "usage: build.sh SOURCES OUTPUT"
sources=$(realpath -e -- "$1") || die "$1: no such file"
output=$(realpath -m -- "$2")
for tool in mmdebstrap mke2fs cc unshare; do
	command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || die "$tool is missing"
done
export PATH=$PATH:/usr/sbin:/sbin

# First pass: enter the namespaces. unshare blocks SIGTERM; --pdeathsig ends it with whoever called us, and
# --kill-child ends everything below it.
if [ -z "${ENOKEY_IMAGE_INSIDE:-}" ]; then
	namespaces=(--mount --pid --fork --kill-child --propagation private)
	[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user --map-auto)
	ENOKEY_IMAGE_INSIDE=1 exec setpriv --pdeathsig KILL -- unshare "${namespaces[@]}" -- bash "$here/build.sh" "$sources" "$output"
fi

# As pid 1 of the namespace we get only the signals that we handle.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(dirname "$output")/.work
mkdir -p "$work"
trap 'cd /; umount -l "$work" 2>/dev/null; rmdir "$work"' EXIT
mount -t tmpfs -o size=3g,mode=755 tmpfs "$work"
mount -t proc proc /proc
mkdir "$work/root" "$work/tmp"
export TMPDIR=$work/tmp
root=$work/root

cc -static -Os -o "$work/init" "$here/init.c"

packages=$(sed -e 's/#.*//' -e 's/!//' "$here/packages.txt" | xargs | tr ' ' ,)
# No documentation, no translations: a third of the size. fstests reads none.
mmdebstrap --mode=root --variant=apt --format=directory --skip=chroot/mount/sys --include="$packages" \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
	--aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
	trixie "$root" "$sources"

# fstests drops privileges to these. "123456-fsgqa" is a name that useradd refuses unless told.
for user in fsgqa 123456-fsgqa fsgqa2; do
	chroot "$root" useradd --badname --user-group --create-home --shell /bin/bash "$user"
done
# UsePAM is off, and sshd then refuses an account whose password field starts with "!".
chroot "$root" usermod --password '*' root

install -D -m 755 "$work/init" "$root/usr/sbin/enokey-init"
for name in init poweroff reboot halt; do
	ln -sf enokey-init "$root/usr/sbin/$name"
done
install -D -m 644 "$here/sshd_config" "$root/etc/enokey/sshd_config"
mkdir -p "$root/mnt/test" "$root/mnt/scratch" "$root/opt/enokey/bin"
rm -f "$root"/etc/ssh/ssh_host_*
echo enokey >"$root/etc/hostname"
printf '127.0.0.1 localhost enokey\n' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
: >"$root/etc/fstab"
# The sources name the host's mirror, which the guest cannot reach anyway.
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/* \
	"$root"/var/cache/apt/* "$root"/var/log/*.log "$root"/usr/share/locale "$root"/usr/share/i18n
chroot "$root" dpkg-query -W -f '${Package}\t${Version}\n' >"$root/etc/enokey/packages"

# No journal: every guest writes to a throw-away overlay. Room for fstests and for coredumps.
size=$(($(du -sm "$root" | cut -f1) * 3 / 2 + 512))
rm -f "$output"
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0,lazy_itable_init=1,nodiscard -L enokey-root -m 0 \
	-d "$root" "$output" "${size}M"
cp "$root/etc/enokey/packages" "$output.packages"
