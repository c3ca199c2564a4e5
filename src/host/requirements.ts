// SPDX-License-Identifier: GPL-2.0-only

/** Something the host must have, as data. Adding a need is adding a row. */
export interface Requirement {
  readonly id: string;
  /** What it is for, shown when it is missing. */
  readonly purpose: string;
  readonly optional?: boolean;
  /** A program on PATH, with arguments that make it print its version. */
  readonly program?: { readonly name: string; readonly version?: readonly string[] };
  /** Any of these files; `*` stands for one path component. */
  readonly files?: readonly string[];
  /** Debian package that brings it. */
  readonly debian: string;
}

const V = ['--version'] as const;

export const REQUIREMENTS: readonly Requirement[] = [
  {
    id: 'qemu',
    purpose: 'runs the guests',
    program: { name: 'qemu-system-x86_64', version: V },
    debian: 'qemu-system-x86',
  },
  {
    id: 'git',
    purpose: 'kernel trees and patch series',
    program: { name: 'git', version: V },
    debian: 'git',
  },
  { id: 'gcc', purpose: 'builds kernels and probes', program: { name: 'gcc', version: V }, debian: 'gcc' },
  {
    id: 'libc headers',
    purpose: "builds the probes and the kernel's own tools",
    files: ['/usr/include/stdio.h'],
    debian: 'libc6-dev',
  },
  { id: 'ld', purpose: 'links kernels', program: { name: 'ld', version: V }, debian: 'binutils' },
  {
    id: 'addr2line',
    purpose: 'names source lines in oops reports',
    program: { name: 'addr2line', version: V },
    debian: 'binutils',
  },
  { id: 'make', purpose: 'builds kernels', program: { name: 'make', version: V }, debian: 'make' },
  {
    id: 'flex',
    purpose: "builds the kernel's configuration tool",
    program: { name: 'flex', version: V },
    debian: 'flex',
  },
  {
    id: 'bison',
    purpose: "builds the kernel's configuration tool",
    program: { name: 'bison', version: V },
    debian: 'bison',
  },
  { id: 'bc', purpose: 'generates kernel headers', program: { name: 'bc', version: V }, debian: 'bc' },
  { id: 'perl', purpose: 'kernel build scripts', program: { name: 'perl' }, debian: 'perl' },
  {
    id: 'libelf headers',
    purpose: 'builds objtool',
    files: ['/usr/include/libelf.h', '/usr/include/elfutils/libelf.h'],
    debian: 'libelf-dev',
  },
  {
    id: 'openssl headers',
    purpose: "builds the kernel's certificate tools",
    files: ['/usr/include/openssl/ssl.h'],
    debian: 'libssl-dev',
  },
  {
    id: 'ccache',
    purpose: 'makes rebuilds faster',
    optional: true,
    program: { name: 'ccache', version: V },
    debian: 'ccache',
  },
  {
    id: 'mmdebstrap',
    purpose: 'makes the guest image',
    program: { name: 'mmdebstrap', version: V },
    debian: 'mmdebstrap',
  },
  {
    id: 'mke2fs',
    purpose: 'makes the guest image',
    program: { name: 'mke2fs', version: ['-V'] },
    debian: 'e2fsprogs',
  },
  {
    id: 'setpriv',
    purpose: 'ends children when enokey is killed',
    program: { name: 'setpriv', version: V },
    debian: 'util-linux',
  },
  {
    id: 'apt-get',
    purpose: 'imports kernel source and packages',
    program: { name: 'apt-get', version: V },
    debian: 'apt',
  },
  {
    id: 'dpkg-deb',
    purpose: 'unpacks the kernel source package',
    program: { name: 'dpkg-deb', version: V },
    debian: 'dpkg',
  },
  { id: 'tar', purpose: 'unpacks the kernel source', program: { name: 'tar', version: V }, debian: 'tar' },
  { id: 'xz', purpose: 'unpacks the kernel source', program: { name: 'xz', version: V }, debian: 'xz-utils' },
];
