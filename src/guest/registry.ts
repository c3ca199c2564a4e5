// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

import type { Context } from '../core/context.js';
import { UserError } from '../core/errors.js';
import { endProcess } from '../system/daemon.js';
import { temporaryBeside, writeAtomic } from '../system/files.js';
import { identify, isAlive, type ProcessIdentity } from '../system/identity.js';
import { withLock } from '../system/lock.js';

const identitySchema = z.object({ pid: z.number().int().positive(), start: z.string(), boot: z.string() });

const recordSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  /** `starting` until SSH answered and the kernel proved itself. */
  state: z.enum(['starting', 'running']),
  /** The enokey that booted it. */
  owner: identitySchema,
  qemu: identitySchema.optional(),
  /** Lives on after its owner. */
  detached: z.boolean(),
  /** The work folder goes with the guest. */
  ephemeral: z.boolean(),
  /** What booted, for people: `stock (default)`. */
  label: z.string(),
  release: z.string(),
  buildId: z.string(),
  vmlinux: z.string(),
  rootfs: z.string(),
  accelerator: z.object({
    name: z.enum(['kvm', 'tcg']),
    reason: z.string(),
    timeScale: z.number().positive(),
  }),
  cpus: z.number(),
  memoryMiB: z.number(),
  kernelArgs: z.array(z.string()),
  disks: z.array(z.object({ name: z.string(), sizeBytes: z.number(), path: z.string() })),
  workDir: z.string(),
  console: z.string(),
  qmpSocket: z.string(),
  sshPort: z.number(),
  /** OpenSSH public key line: the only host key that clients accept. */
  hostKey: z.string(),
  /** OpenSSH PEM; the record is readable by its user only. */
  clientKey: z.string(),
  /** ISO 8601, UTC. */
  startedAt: z.string(),
});

/** What is known of a guest on this host: `<runtime>/guests/NAME/guest.json`. */
export type GuestRecord = z.infer<typeof recordSchema>;

const RECORD = 'guest.json';
/** sizeof(sockaddr_un.sun_path) - 1, unix(7). */
const SOCKET_PATH_MAX = 107;
/** A folder without a record that is older than this was left by a claim that was killed. */
const ABANDONED_MS = 60_000;

function guestsDir(context: Context): string {
  return path.join(context.dirs.runtime, 'guests');
}

/** Folder of a guest's socket and record. */
export function guestDir(context: Context, name: string): string {
  return path.join(guestsDir(context), name);
}

/** @throws UserError when the name cannot be a guest's. */
export function checkGuestName(name: string): void {
  if (/^[A-Za-z0-9_@][A-Za-z0-9._@+-]{0,63}$/.test(name)) return;
  throw new UserError({
    subject: `guest name ${JSON.stringify(name)}`,
    observed: 'not usable as a file name',
    expected: '1 to 64 letters, digits, `.`, `_`, `@`, `+`, `-`, the first a letter, digit, `_` or `@`',
  });
}

/** The guest's QMP socket. @throws UserError when the path is longer than a socket's may be. */
export function qmpSocketPath(context: Context, name: string): string {
  const file = path.join(guestDir(context, name), 'qmp');
  if (Buffer.byteLength(file) <= SOCKET_PATH_MAX) return file;
  throw new UserError({
    subject: file,
    observed: `${Buffer.byteLength(file)} bytes`,
    expected: `at most ${SOCKET_PATH_MAX}, the limit of a unix socket's path`,
    next: 'choose a shorter --name, or a shorter ENOKEY_RUNTIME folder',
  });
}

/**
 * Makes the name ours: the folder appears with its record in one step, so that of two that want the name one gets it.
 * @throws UserError when a guest with this name is there.
 */
export async function claimGuest(context: Context, record: GuestRecord): Promise<void> {
  const dir = guestDir(context, record.name);
  await mkdir(guestsDir(context), { recursive: true, mode: 0o700 });
  const temporary = temporaryBeside(dir);
  await mkdir(temporary, { mode: 0o700 });
  try {
    await writeFile(path.join(temporary, RECORD), JSON.stringify(record), { mode: 0o600 });
    await rename(temporary, dir);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    throw new UserError({
      subject: `guest ${record.name}`,
      observed: 'a guest with this name is running',
      next: `choose another --name, or end it with \`enokey stop ${record.name}\``,
    });
  }
}

/** Replaces the record. */
export async function updateRecord(context: Context, record: GuestRecord): Promise<void> {
  await writeAtomic(path.join(guestDir(context, record.name), RECORD), JSON.stringify(record), 0o600);
}

/** Takes the name back; the work folder too when it goes with the guest. Its QEMU must have ended. */
export async function releaseGuest(context: Context, record: GuestRecord): Promise<void> {
  if (record.ephemeral) await rm(record.workDir, { recursive: true, force: true });
  await rm(guestDir(context, record.name), { recursive: true, force: true });
}

async function readRecord(dir: string): Promise<GuestRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(path.join(dir, RECORD), 'utf8')));
  } catch {
    return undefined;
  }
}

/** True when nobody will ever end this guest or use it: what `sweepGuests` removes. */
export function isStale(record: Pick<GuestRecord, 'state' | 'owner' | 'qemu' | 'detached'>): boolean {
  if (record.state === 'running' && record.detached) return !record.qemu || !isAlive(record.qemu);
  return !isAlive(record.owner);
}

/** QEMU of a record that its owner had no time to complete: the pid file that QEMU writes, checked by its argv. */
async function findQemu(dir: string, socket: string): Promise<ProcessIdentity | undefined> {
  const pid = Number(await readFile(path.join(dir, 'pid'), 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const identity = identify(pid);
  const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return identity && argv.includes(socket) ? identity : undefined;
}

/** Live guests of this user, oldest first. */
export async function listGuests(context: Context): Promise<GuestRecord[]> {
  const names = await readdir(guestsDir(context)).catch(() => []);
  const records = await Promise.all(
    names.filter((name) => !name.startsWith('.')).map((name) => readRecord(guestDir(context, name))),
  );
  return records
    .filter((record): record is GuestRecord => record !== undefined && !isStale(record))
    .sort((a, b) => a.startedAt.localeCompare(b.startedAt) || a.name.localeCompare(b.name));
}

/** @throws UserError when no live guest has this name. */
export async function findGuest(context: Context, name: string): Promise<GuestRecord> {
  const guests = await listGuests(context);
  const found = guests.find((guest) => guest.name === name);
  if (found) return found;
  const names = guests.map((guest) => guest.name).join(', ');
  throw new UserError({
    subject: `guest ${name}`,
    observed: 'not running',
    expected: names ? `one of ${names}` : undefined,
    next: names ? undefined : '`enokey boot VARIANT --detach` starts one',
  });
}

/** Moves a dead guest's folder away. Gives its record, or undefined when another did so before. */
function buried(context: Context, dir: string, grave: string): Promise<GuestRecord | undefined> {
  return withLock(`${guestsDir(context)}.lock`, 'sweeps guests', context.signal, async () => {
    const record = await readRecord(dir);
    if (!record || !isStale(record)) return undefined;
    await rename(dir, grave);
    return record;
  });
}

/**
 * Ends and removes what a SIGKILL or a crash left: guests whose owner died and that were not detached, records whose
 * QEMU is gone, claims never completed. Gives the names. Several may sweep at once: they look and move away one after
 * the other, so that none moves what another swept and somebody claimed anew meanwhile.
 */
export async function sweepGuests(context: Context): Promise<string[]> {
  const root = guestsDir(context);
  const swept: string[] = [];
  for (const entry of await readdir(root).catch(() => [])) {
    const dir = path.join(root, entry);
    const record = await readRecord(dir);
    if (!record) {
      const age = await stat(dir).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > ABANDONED_MS) await rm(dir, { recursive: true, force: true });
      continue;
    }
    if (!isStale(record)) continue;
    const grave = entry.startsWith('.swept-') ? dir : path.join(root, `.swept-${entry}-${process.pid}`);
    const dead = grave === dir ? record : await buried(context, dir, grave);
    if (!dead) continue;
    const qemu = dead.qemu ?? (await findQemu(grave, dead.qmpSocket));
    if (qemu) await endProcess(qemu, 2000);
    if (dead.ephemeral) await rm(dead.workDir, { recursive: true, force: true });
    await rm(grave, { recursive: true, force: true });
    swept.push(dead.name);
  }
  return swept;
}
