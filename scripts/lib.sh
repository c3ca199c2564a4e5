# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Set-up that scripts/demo and scripts/test share. Sourced, never run.

say() { printf '%s\n' "$*" >&2; }

# Debian packages: command or file that proves it, package. What a build host needs, by name.
needed_packages() {
	local need=()
	has() { command -v "$1" >/dev/null 2>&1; }
	has qemu-system-x86_64 || need+=(qemu-system-x86)
	has mmdebstrap || need+=(mmdebstrap)
	has newuidmap || need+=(uidmap)
	has gcc || need+=(gcc)
	[ -e /usr/lib/x86_64-linux-gnu/libc.a ] || need+=(libc6-dev)
	has make || need+=(make)
	has flex || need+=(flex)
	has bison || need+=(bison)
	has bc || need+=(bc)
	has git || need+=(git)
	has perl || need+=(perl)
	has xz || need+=(xz-utils)
	has zstd || need+=(zstd)
	has rsync || need+=(rsync)
	has cpio || need+=(cpio)
	has ccache || need+=(ccache)
	has mke2fs || has /usr/sbin/mke2fs || need+=(e2fsprogs)
	has setpriv || need+=(util-linux)
	has addr2line || need+=(binutils)
	[ -e /usr/include/libelf.h ] || need+=(libelf-dev)
	[ -e /usr/include/openssl/evp.h ] || need+=(libssl-dev)
	printf '%s\n' "${need[@]}"
}

node_is_new_enough() {
	command -v node >/dev/null 2>&1 && node -e '
		const [a, b] = process.versions.node.split(".").map(Number);
		process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

# Installs what is missing when we may; otherwise prints the one command and exits 2.
install_packages() {
	mapfile -t need < <(needed_packages)
	[ "${#need[@]}" -eq 1 ] && [ -z "${need[0]}" ] && need=()
	if ! node_is_new_enough; then
		say "enokey: node: $(node --version 2>/dev/null || echo not found) (expected >= 20.19)"
		say "  next: install Node.js 20.19 or newer with npm, then run this again"
		exit 2
	fi
	[ "${#need[@]}" -eq 0 ] && return
	local command="apt-get install -y --no-install-recommends ${need[*]}"
	if ! command -v apt-get >/dev/null 2>&1; then
		say "enokey: missing: ${need[*]} (Debian's names)"
		exit 2
	fi
	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		if sudo -n true 2>/dev/null; then
			as_root=(sudo)
		else
			say "enokey: packages are missing. Run this once, then this script again:"
			say "  sudo $command"
			exit 2
		fi
	fi
	say "- Install Debian packages: ${need[*]}"
	"${as_root[@]}" apt-get update -qq >/dev/null || say "warning: apt-get update failed; trying with the lists at hand"
	DEBIAN_FRONTEND=noninteractive "${as_root[@]}" $command >/dev/null </dev/null || {
		say "enokey: apt-get could not install: ${need[*]}"
		say "  next: run it by hand and read its message: $command"
		exit 2
	}
	mapfile -t need < <(needed_packages)
	if [ -n "${need[0]:-}" ]; then
		say "enokey: still missing after the installation: ${need[*]}"
		exit 2
	fi
}

# npm ci when the lock file changed since the last time; node_modules is never half-done: the stamp comes last.
install_modules() {
	local stamp=node_modules/.enokey-lock
	if ! cmp -s package-lock.json "$stamp" 2>/dev/null; then
		say "- Install npm packages"
		npm ci --no-fund --no-audit --loglevel=error >&2 </dev/null || {
			say "enokey: npm ci failed"
			exit 2
		}
		cp package-lock.json "$stamp"
	fi
}

build_cli() {
	say "- Build enokey"
	npm run --silent build >&2 || {
		say "enokey: the build failed (npm run build)"
		exit 2
	}
}

set_up() {
	install_packages
	install_modules
	build_cli
}
