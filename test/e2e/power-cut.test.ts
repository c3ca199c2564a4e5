// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { findGuest } from '../../src/guest/registry.js';
import type { RunningGuest } from '../../src/guest/running.js';
import { tempDir } from '../helpers/temp.js';
import { audit, UnitLedger } from './support/disk/audit.js';
import { keyIdentifier } from './support/disk/fscrypt.js';
import { Volume } from './support/disk/volume.js';
import { addKey, btrfsUtil, must, setPolicy } from './support/encrypted-disk.js';
import { e2eContext, e2eGuest, REPOSITORY } from './support/guest.js';
import { SOURCES } from './support/planned-files.js';
import {
  apply,
  operationLine,
  planOperations,
  seededRandom,
  type Operation,
  type State,
} from './support/power-cut/operation.js';
import { verifyAfterCut } from './support/power-cut/verify.js';

/** Power cuts in a row, each on the file system that the last one left. */
const CUTS = Number(process.env['ENOKEY_POWER_CUTS'] ?? 3);
const SEED = Number(process.env['ENOKEY_POWER_CUT_SEED'] ?? 1);
const OPERATIONS = 2000;
/** Operations that the writer may be ahead of the last line that left the guest. */
const AHEAD = 24;
const DEVICE = '/dev/enokey/cut';
const MOUNT = '/mnt/test';

const masterKey = Buffer.from(Array.from({ length: 64 }, (_, at) => at + 1));
const identifier = keyIdentifier(masterKey).toString('hex');

/** How far the writer got, as far as the host was told before the power went. */
interface Progress {
  done: number;
  acknowledged: number;
}

/** Writes the operations until QEMU is killed in the midst of them, after `acks` acknowledgements and `delayMs`. */
async function writeUntilCut(guest: RunningGuest, acks: number, delayMs: number): Promise<Progress> {
  const { qemu } = await findGuest(e2eContext(), guest.name);
  if (!qemu) throw new Error('the guest is not registered');
  const progress: Progress = { done: 0, acknowledged: 0 };
  let cut = false;
  const command = `cd ${MOUNT}/dir && exec perl ${SOURCES}/writer.pl ${SOURCES}/operations`;
  const result = await guest.exec(['bash', '-c', command], {
    limitMs: 120_000,
    onLine: (line, stream) => {
      const [, what, number] = /^(do|ack) (\d+)$/.exec(line) ?? [];
      if (stream !== 'stdout' || cut) return;
      if (what === 'do') progress.done = Number(number);
      if (what === 'ack') progress.acknowledged = Number(number);
      if (what !== 'ack' || Number(number) !== acks) return;
      setTimeout(() => {
        cut = true;
        process.kill(qemu.pid, 'SIGKILL');
      }, delayMs);
    },
  });
  expect(result, JSON.stringify(result.exec)).toMatchObject({ outcome: 'lost', marks: [] });
  expect(cut).toBe(true);
  return progress;
}

/** The files of the encrypted directory, as the mount shows them. */
async function readFiles(guest: RunningGuest): Promise<Map<string, Buffer>> {
  const dir = path.join(tempDir('power cut'), 'pulled');
  await guest.pull(`${MOUNT}/dir`, dir, 64 * 1024 ** 2);
  return new Map(readdirSync(dir).map((name) => [name, readFileSync(path.join(dir, name))]));
}

/**
 * What QEMU has taken from the guest survives its death, flushed or not. So this is about what is in the log and about
 * the order of writes, and does not see a kernel that forgets to flush the device's cache.
 */
describe('power cuts in the midst of fsync on an encrypted btrfs', () => {
  it(
    'lose nothing that fsync has acknowledged and written, and leave a sound file system',
    async () => {
      const random = seededRandom(SEED);
      const work = tempDir('power cuts');
      const sources = path.join(work, 'in');
      const previous = path.join(work, 'previous.img');
      mkdirSync(sources);
      writeFileSync(path.join(sources, 'key'), masterKey);
      copyFileSync(
        path.join(REPOSITORY, 'fstests-overrides/common/btrfs-util.pl'),
        `${sources}/btrfs-util.pl`,
      );
      copyFileSync(path.join(import.meta.dirname, 'support/power-cut/writer.pl'), `${sources}/writer.pl`);

      const ledger = new UnitLedger();
      const look = (disk: string, logs: boolean): boolean =>
        Volume.use(disk, (volume) => {
          const found = audit(volume, { logs });
          expect(found.problems).toEqual([]);
          expect(ledger.add(found.units)).toEqual([]);
          return volume.super.logRoot !== 0;
        });

      let state: State = new Map();
      let pending: Operation[] = [];
      const sum = { cuts: 0, replayed: 0, acknowledged: 0, files: 0, blocks: 0 };
      for (let cycle = 0; cycle <= CUTS; cycle++) {
        const operationsFor = (now: State): Operation[] =>
          planOperations(now, OPERATIONS, `s${SEED}c${cycle}`, random);
        if (cycle > 0 && look(previous, true)) sum.replayed++;
        const guest = await e2eGuest(
          { disks: [{ name: 'cut', sizeBytes: 512 * 1024 ** 2 }] },
          { variant: 'base' },
        );
        const disk = guest.diskPath('cut');
        if (cycle === 0) {
          await must(guest, `mkfs.btrfs -q -f ${DEVICE}`);
        } else {
          // The guest has not looked at the disk but for a partition table.
          execFileSync('dd', [`if=${previous}`, `of=${disk}`, 'bs=1M', 'conv=notrunc,sparse', 'status=none']);
          await must(guest, `blockdev --flushbufs ${DEVICE}`);
        }
        await guest.push(sources, path.dirname(SOURCES));
        await must(guest, `mount ${DEVICE} ${MOUNT}`, 30_000);
        expect((await must(guest, addKey(MOUNT))).trim()).toBe(identifier);
        if (cycle === 0) {
          await must(guest, `mkdir ${MOUNT}/dir && ${setPolicy(identifier, `${MOUNT}/dir`)} && sync`);
        } else {
          const verdict = verifyAfterCut(state, pending, await readFiles(guest));
          expect(verdict.problems, `after power cut ${cycle}`).toEqual([]);
          state = verdict.state;
          sum.files += state.size;
          for (const blocks of state.values()) sum.blocks += blocks.length;
          await must(guest, `umount ${MOUNT}`);
          await must(guest, btrfsUtil(`check --check-data-csum ${DEVICE}`), 30_000);
          look(disk, false);
        }
        if (cycle === CUTS) break;

        const operations = operationsFor(state);
        const list = path.join(sources, 'operations');
        writeFileSync(
          list,
          operations.map((operation, at) => `${operationLine(at + 1, operation)}\n`).join(''),
        );
        await guest.push(list, SOURCES);
        if (cycle > 0) await must(guest, `mount ${DEVICE} ${MOUNT} && ${addKey(MOUNT)}`);
        const progress = await writeUntilCut(guest, 20 + random(150), random(40));
        state = operations.slice(0, progress.acknowledged).reduce<State>(apply, state);
        pending = operations.slice(
          progress.acknowledged,
          Math.max(progress.done, progress.acknowledged) + AHEAD,
        );
        sum.cuts++;
        sum.acknowledged += progress.acknowledged;
        await guest.stop();
        renameSync(disk, previous);
        process.stderr.write(`power cut ${sum.cuts} of ${CUTS}: ${progress.acknowledged} acknowledged\n`);
      }
      process.stderr.write(
        `power cuts: ${sum.cuts}, ${sum.replayed} with a log to replay; ${sum.acknowledged} operations acknowledged; ` +
          `${sum.files} files, ${sum.blocks} blocks compared, none lost; ${ledger.size} units seen\n`,
      );
      expect(sum.replayed).toBeGreaterThan(0);
    },
    600_000 + CUTS * 120_000,
  );
});
