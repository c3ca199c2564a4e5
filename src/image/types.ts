// SPDX-License-Identifier: GPL-2.0-only

/** The guest's root file system in the store; read-only. Guests write to a throw-away overlay. */
export interface GuestImage {
  /** Hex SHA-256 of the recipe: packages, suite, init, users, version. */
  readonly key: string;
  readonly dir: string;
  /** Raw ext4 image. */
  readonly rootfs: string;
  /** Hex SHA-256 of the names and versions of all packages inside: of one recipe it differs from day to day. */
  readonly contents: string;
  /** Package versions inside that a report names, e.g. `{ "btrfs-progs": "7.3-1~bpo13+1" }`. */
  readonly packages: Readonly<Record<string, string>>;
}
