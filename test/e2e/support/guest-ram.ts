// SPDX-License-Identifier: GPL-2.0-only
import { open, rm } from 'node:fs/promises';
import path from 'node:path';

import { Qmp } from '../../../src/guest/qmp.js';
import { qmpSocketPath } from '../../../src/guest/registry.js';
import type { RunningGuest } from '../../../src/guest/running.js';
import { e2eContext } from './context.js';

const CHUNK = 16 * 1024 ** 2;
const DUMP_MS = 120_000;

/** Writes a guest's whole RAM to a file while the guest stands still. q35 has up to 2 GiB in one piece from 0 on. */
async function dumpRam(guest: RunningGuest, file: string): Promise<void> {
  const qmp = await Qmp.connect(qmpSocketPath(e2eContext(), guest.name), 10_000);
  try {
    await qmp.execute('stop', {}, 10_000);
    const size = guest.spec.memoryMiB * 1024 ** 2;
    await qmp.execute('pmemsave', { val: 0, size, filename: file }, DUMP_MS);
    await qmp.execute('cont', {}, 10_000);
  } finally {
    qmp.close();
  }
}

/** How often each needle is in the file, wherever it lies. */
export async function countInFile(file: string, needles: readonly Buffer[]): Promise<number[]> {
  const counts = needles.map(() => 0);
  const overlap = Math.max(...needles.map((needle) => needle.length)) - 1;
  const handle = await open(file);
  try {
    const buffer = Buffer.alloc(overlap + CHUNK);
    let kept = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, kept, CHUNK);
      if (bytesRead === 0) return counts;
      const filled = kept + bytesRead;
      const here = buffer.subarray(0, filled);
      needles.forEach((needle, at) => {
        // One that ends within what was kept was counted with the chunk before.
        let from = Math.max(0, kept - needle.length + 1);
        for (;;) {
          const found = here.indexOf(needle, from);
          if (found < 0) break;
          counts[at] = (counts[at] ?? 0) + 1;
          from = found + 1;
        }
      });
      const next = Math.min(overlap, filled);
      buffer.copyWithin(0, filled - next, filled);
      kept = next;
    }
  } finally {
    await handle.close();
  }
}

/** How often each needle is in the guest's RAM. */
export async function countInRam(guest: RunningGuest, needles: readonly Buffer[]): Promise<number[]> {
  const file = path.join(guest.spec.workDir, 'ram');
  try {
    await dumpRam(guest, file);
    return await countInFile(file, needles);
  } finally {
    await rm(file, { force: true });
  }
}
