// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, readdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

import { UserError } from '../core/errors.js';
import type { Dirs } from '../core/context.js';
import { diskError } from '../system/files.js';

export interface PathSettings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of package.json. */
  readonly packageRoot: string;
  /** From `--cache` or enokey.yaml, absolute. */
  readonly cache?: string;
  /** From enokey.yaml `runs`, absolute. */
  readonly state?: string;
}

/** QEMU's QMP socket and its name must fit sockaddr_un.sun_path: 107 bytes and a NUL. */
const SOCKET_NAME_RESERVE = 48;

/**
 * Where enokey keeps things: ENOKEY_CACHE, ENOKEY_STATE, else the XDG base directories. The runtime folder holds
 * unix sockets, so that it has to be short: XDG_RUNTIME_DIR when it is short enough, else a private folder in /tmp.
 */
export function resolveDirs(settings: PathSettings): Dirs {
  const { env, cwd } = settings;
  const home = env['HOME'] || homedir();
  const absolute = (dir: string): string => path.resolve(cwd, dir);
  const cache =
    settings.cache ??
    absolute(env['ENOKEY_CACHE'] || path.join(env['XDG_CACHE_HOME'] || path.join(home, '.cache'), 'enokey'));
  const state =
    settings.state ??
    absolute(
      env['ENOKEY_STATE'] || path.join(env['XDG_STATE_HOME'] || path.join(home, '.local', 'state'), 'enokey'),
    );
  return {
    cache,
    build: buildDir(cache),
    state,
    runtime: runtimeDir(env, cache),
    shipped: settings.packageRoot,
  };
}

/** Kbuild refuses source and output folders with a space or a colon in their paths (top-level Makefile). */
export function buildDir(cache: string): string {
  if (!/[\s:]/.test(cache)) return path.join(cache, 'build');
  return `/var/tmp/enokey-${process.getuid?.() ?? 0}/${shortHash(cache)}/build`;
}

function runtimeDir(env: PathSettings['env'], cache: string): string {
  if (env['ENOKEY_RUNTIME']) return env['ENOKEY_RUNTIME'];
  const uid = process.getuid?.() ?? 0;
  const xdg = env['XDG_RUNTIME_DIR'];
  const candidate = xdg ? path.join(xdg, 'enokey') : path.join(tmpdir(), `enokey-${uid}`);
  const chosen = candidate.length + SOCKET_NAME_RESERVE <= 107 ? candidate : `/tmp/enokey-${uid}`;
  // Two caches are two worlds: their guests do not see each other.
  return path.join(chosen, shortHash(cache));
}

/** FNV-1a, 32 bits, hex: enough to tell a handful of caches apart, and needs no import at start-up. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}

/** Makes the folders, private where they hold sockets and keys. @throws UserError when one cannot be made. */
export function makeDirs(dirs: Dirs): void {
  const wanted = [
    { dir: dirs.cache, mode: 0o755, name: 'the cache', setting: 'ENOKEY_CACHE' },
    { dir: dirs.state, mode: 0o755, name: 'the state folder', setting: 'ENOKEY_STATE' },
    { dir: dirs.runtime, mode: 0o700, name: 'the runtime folder', setting: 'ENOKEY_RUNTIME' },
  ];
  for (const { dir, mode, name, setting } of wanted) {
    try {
      mkdirSync(dir, { recursive: true, mode });
      readdirSync(dir);
    } catch (error) {
      const told = diskError(error, dir);
      if (told !== error) throw told;
      throw new UserError({
        subject: dir,
        observed: `cannot be used as ${name}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
        next: `set ${setting} to a folder that you own`,
        cause: error,
      });
    }
  }
}
