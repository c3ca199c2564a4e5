// SPDX-License-Identifier: GPL-2.0-only
import type { Emit } from './events.js';

/** Folders that enokey owns, all absolute. Made on first use. */
export interface Dirs {
  /** Trees, artifacts, images, fstests builds: everything that can be made again. `ENOKEY_CACHE` or XDG. */
  readonly cache: string;
  /**
   * Kernel worktrees and make's `O=` folders. In the cache, unless its path has a space or a colon, which Kbuild takes
   * in no folder: then in /var/tmp.
   */
  readonly build: string;
  /** Runs (results). `ENOKEY_STATE` or XDG. Never cleared by `enokey clean` unless asked by name. */
  readonly state: string;
  /** Sockets, pid and lock files; short, since a unix socket's path has at most 107 bytes. */
  readonly runtime: string;
  /** What is shipped: the folder that holds `patches/`, `fstests-overrides/` and `vm/`. */
  readonly shipped: string;
}

/** What every service gets as its first argument. Services never look at flags, cwd or process.env. */
export interface Context {
  readonly dirs: Dirs;
  readonly emit: Emit;
  /** Fires on SIGINT, SIGTERM, SIGHUP. Long work must end soon after, leaving nothing behind. */
  readonly signal: AbortSignal;
  /** Parallel compile jobs. */
  readonly jobs: number;
}
