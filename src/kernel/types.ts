// SPDX-License-Identifier: GPL-2.0-only

export type Profile = 'default' | 'debug';

/** A built kernel in the store. Everything below `dir` is read-only once it is there. */
export interface Artifact {
  /** Content key: hex SHA-256 over tree id, final .config, compiler and recipe version. */
  readonly key: string;
  readonly dir: string;
  readonly variant: string;
  readonly profile: Profile;
  /** git tree id that was built. */
  readonly treeId: string;
  /** `git describe`-like name of what was built, and the commit id. */
  readonly commit: string;
  /** What `uname -r` must print in the guest. */
  readonly release: string;
  /** Hex of the kernel's GNU build id (/sys/kernel/notes in the guest). */
  readonly buildId: string;
  /** First line of `gcc --version`. */
  readonly compiler: string;
  /** SHA-256 of the final .config, hex. */
  readonly configHash: string;
  /** Uncompressed ELF that QEMU boots through PVH, with symbols for addr2line. */
  readonly vmlinux: string;
  readonly config: string;
  readonly systemMap: string;
  readonly log: string;
}
