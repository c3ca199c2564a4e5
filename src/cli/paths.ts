// SPDX-License-Identifier: GPL-2.0-only
import { lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs';
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
    runtime: absolute(runtimeDir(env, cache)),
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

/** In a folder with this bit nobody renames or removes what is another's: inode(7). */
const STICKY = 0o1000;

/**
 * Makes a folder that other users could have made before us, since its name can be guessed and /tmp is everybody's.
 * Whoever made it says which processes `sweepGuests` ends and which folders it removes. So from the first part of the
 * path on in which others can make something, each has to be a folder (no link) of ours or root's that nobody else can
 * write, but for a /tmp in /tmp. Root needs this most.
 * @returns the first part that is not so, and what is wrong with it
 */
function makeTrusted(dir: string, mode: number, uid: number): { part: string; wrong: string } | undefined {
  const names = path.resolve(dir).split(path.sep);
  let shared = false;
  for (let count = 1; count <= names.length; count++) {
    const part = names.slice(0, count).join(path.sep) || path.sep;
    let info = lstatSync(part, { throwIfNoEntry: false });
    if (!info) {
      // `recursive` forgives another enokey that makes it at this moment.
      mkdirSync(part, { recursive: true, mode });
      info = lstatSync(part);
    }
    if (!shared && info.isSymbolicLink()) info = statSync(part);
    const last = count === names.length;
    const foreign = info.uid !== uid && info.uid !== 0;
    const open: boolean = (info.mode & (shared ? 0o022 : 0o002)) !== 0;
    if (shared && !info.isDirectory()) return { part, wrong: 'is no folder, or a link to one' };
    if ((shared || last) && foreign) return { part, wrong: `belongs to user ${info.uid}` };
    if (open && (last || (shared && (info.mode & STICKY) === 0)))
      return { part, wrong: 'can be written by other users' };
    shared ||= foreign || open;
  }
  return undefined;
}

interface Wanted {
  readonly dir: string;
  readonly mode: number;
  readonly name: string;
  readonly setting: string;
  /** Others may be able to make it before us: what to do then. */
  readonly otherwise?: string;
}

/**
 * Makes the folders, private where they hold sockets and keys. `uid` is who we are.
 * @throws UserError when one cannot be made, or another user may decide what lies in it.
 */
export function makeDirs(dirs: Dirs, uid = process.getuid?.() ?? 0): void {
  const wanted: Wanted[] = [
    { dir: dirs.cache, mode: 0o755, name: 'the cache', setting: 'ENOKEY_CACHE' },
    { dir: dirs.state, mode: 0o755, name: 'the state folder', setting: 'ENOKEY_STATE' },
    {
      dir: dirs.runtime,
      mode: 0o700,
      name: 'the runtime folder',
      setting: 'ENOKEY_RUNTIME',
      otherwise: 'set ENOKEY_RUNTIME to a folder that only you can write',
    },
  ];
  // In /var/tmp: see buildDir. Once the user's folder there is ours nobody else makes what lies in it, and a command
  // that builds nothing leaves no more than that.
  if (!dirs.build.startsWith(`${dirs.cache}${path.sep}`)) {
    wanted.push({
      dir: path.resolve(dirs.build, '../..'),
      mode: 0o755,
      name: 'the build folder',
      setting: 'ENOKEY_CACHE',
      otherwise: 'set ENOKEY_CACHE to a folder whose path has no space and no colon: builds then lie in it',
    });
  }
  for (const one of wanted) makeDir(one, uid);
}

function makeDir({ dir, mode, name, setting, otherwise }: Wanted, uid: number): void {
  let found: ReturnType<typeof makeTrusted>;
  try {
    if (otherwise) found = makeTrusted(dir, mode, uid);
    else mkdirSync(dir, { recursive: true, mode });
    if (!found) readdirSync(dir);
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
  if (!found) return;
  throw new UserError({
    subject: found.part,
    observed: `cannot be used for ${name}: ${found.wrong}`,
    expected: 'a folder of yours that nobody else can write',
    next: otherwise,
  });
}
