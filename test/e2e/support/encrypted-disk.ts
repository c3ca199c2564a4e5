// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';

import type { RunningGuest } from '../../../src/guest/running.js';
import type { DiskSpec } from '../../../src/guest/types.js';
import { tempDir } from '../../helpers/temp.js';
import { e2eGuest, shell } from './guest.js';
import { SOURCES } from './planned-files.js';

/** Runs a script that must succeed without a word from the kernel; returns its output. */
export async function must(guest: RunningGuest, script: string, limitMs?: number): Promise<string> {
  const result = await shell(guest, script, limitMs);
  const said = `${script}\n${result.exec?.stdout}\n${result.exec?.stderr}\n${result.reports.join('\n')}`;
  expect(result, said).toMatchObject({ marks: [], exec: { exitCode: 0 } });
  expect(result.outcome, said).toBeUndefined();
  return result.exec?.stdout ?? '';
}

/** The command that adds the raw master key in SOURCES/key to a mounted file system; it prints the identifier. */
export const addKey = (mount: string): string =>
  `xfs_io -r -c add_enckey ${mount} < ${SOURCES}/key | sed -n 's/^Added encryption key with identifier //p'`;

/** Encrypts an empty directory: v2, AES-256-XTS, AES-256-CTS, names padded to 32. */
export const setPolicy = (identifier: string, dir: string): string =>
  `xfs_io -r -c 'set_encpolicy -c 1 -n 4 -f 3 -v 2 ${identifier}' ${dir}`;

export const MOUNT = '/mnt/test';

export interface EncryptedDir {
  readonly guest: RunningGuest;
  /** Folder of the host that became SOURCES in the guest; what is added later has to be pushed again. */
  readonly sources: string;
  readonly device: string;
  /** Of the master key, in hex. */
  readonly identifier: string;
}

/**
 * Boots `base` with one disk, makes a btrfs on it, mounted on MOUNT with its key added, and encrypts MOUNT/dir.
 * @param prepare adds to the folder that is pushed as SOURCES, which has the key
 */
export async function bootWithEncryptedDir(
  disk: DiskSpec,
  prepare?: (sources: string) => void,
): Promise<EncryptedDir> {
  const sources = path.join(tempDir(disk.name), 'in');
  mkdirSync(sources);
  writeFileSync(path.join(sources, 'key'), Buffer.alloc(64, 'k'));
  prepare?.(sources);
  const guest = await e2eGuest({ disks: [disk] }, { variant: 'base' });
  await guest.push(sources, path.dirname(SOURCES));
  const device = `/dev/enokey/${disk.name}`;
  await must(guest, `mkfs.btrfs -q -f ${device} && mount ${device} ${MOUNT}`, 30_000);
  const identifier = (await must(guest, addKey(MOUNT))).trim();
  await must(guest, `mkdir ${MOUNT}/dir && ${setPolicy(identifier, `${MOUNT}/dir`)} && sync`);
  return { guest, sources, device, identifier };
}

/**
 * `btrfs ARGUMENTS` for a file system with the encrypt feature, whose bit released btrfs-progs refuse. SOURCES has
 * the wrapper; `check` fails on whatever it finds.
 */
export const btrfsUtil = (args: string): string => `perl ${SOURCES}/btrfs-util.pl ${args}`;

/** The flags that FIEMAP gives for each extent of a file, in order and by `filefrag -v`'s names. */
export async function extentFlags(guest: RunningGuest, file: string): Promise<string[][]> {
  const rows = (await must(guest, `filefrag -v ${file}`)).matchAll(
    /^ *\d+: *\d+\.\. *\d+:.*:\s*([a-z_,]*)$/gm,
  );
  return [...rows].map(([, flags]) => (flags ?? '').split(','));
}

/** Names of key types as `dump-tree` prints them. */
const TYPES: Readonly<Record<string, number>> = {
  INODE_ITEM: 1,
  INODE_REF: 12,
  INODE_EXTREF: 13,
  XATTR_ITEM: 24,
  FSCRYPT_INODE_CTX: 41,
  FSCRYPT_CTX: 42,
  DIR_ITEM: 84,
  DIR_INDEX: 96,
  EXTENT_DATA: 108,
};

/** The items of `dump-tree`'s output as `OBJECT TYPE OFFSET SIZE`. */
export function dumpedItems(dump: string): string[] {
  const items = dump.matchAll(/^\s+item \d+ key \((\S+) (\S+) (\S+)\) itemoff \d+ itemsize (\d+)/gm);
  return [...items].map(([, object, type, offset, size]) => {
    const number = TYPES[type ?? ''] ?? /^UNKNOWN\.(\d+)$/.exec(type ?? '')?.[1] ?? type;
    return `${object} ${number} ${offset} ${size}`;
  });
}
