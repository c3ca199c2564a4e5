// SPDX-License-Identifier: GPL-2.0-only
import type { RunningGuest } from '../src/guest/running.js';
import { COUNTS_INSTRUCTIONS, KERNEL_ARGS, UNIT } from './clock.js';
import { shell, withGuests } from './guest.js';
import { atLeast } from './limit.js';
import { median } from './measure.js';
import { alternate } from './rounds.js';
import type { Bench } from './types.js';
import { disksFor, makeVolume, type Volume } from './volume.js';
import { FUNCTIONS, parseFigures } from './xfs-io.js';

const LIMIT = 0.98;
const ROUNDS = 9;
/** 2048 writes; a file that size stays below every threshold of writeback. */
const LENGTH = '8m';
const FILESYSTEMS = ['btrfs', 'ext4'] as const;
const WRITES = ['append', 'overwrite'] as const;

/**
 * One writer with one descriptor, a page a call: to the end of an empty file, then over what it wrote. The file is
 * emptied before anything is written out, so that the figure is what write(2) costs.
 */
async function visit(guest: RunningGuest, volumes: readonly Volume[]): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  for (const [index, { device, dir }] of volumes.entries()) {
    const write = `pwrite -C -b 4k 0 ${LENGTH}`;
    const said = await shell(
      guest,
      `${FUNCTIONS(device)}
       rm -f ${dir}/file; sync
       measure append ${dir}/file '${write}'
       measure overwrite ${dir}/file 'pwrite -q -b 4k 0 4k' '${write}'
       rm ${dir}/file`,
    );
    for (const [name, figure] of parseFigures(said)) {
      if (figure.deviceWritten > figure.bytes / 2)
        throw new Error(`${guest.spec.release}: ${name}: ${figure.deviceWritten} bytes were written out`);
      figures.set(`${FILESYSTEMS[index]} ${name}`, figure.nsPerCall);
    }
  }
  return figures;
}

/**
 * What fscrypt_prep_write() takes from buffered writes of 4 KiB to an encrypted file: prep-write's kernel against
 * base's, two guests in turns. ext4 does not call the hook and shows what else differs between the kernels.
 */
export const hook: Bench = {
  name: 'prep-write hook',
  limit: `at least ${LIMIT}`,
  async measure() {
    const specs = FILESYSTEMS.map((filesystem) => ({ name: filesystem, filesystem, encrypted: true }));
    return withGuests(
      ['base', 'prep-write'],
      disksFor(specs),
      async (guests) => {
        const sides = [];
        for (const guest of guests) {
          const volumes: Volume[] = [];
          for (const spec of specs) volumes.push(await makeVolume(guest, spec));
          sides.push(() => visit(guest, volumes));
        }
        const measured = await alternate(ROUNDS, sides[0]!, sides[1]!);
        return FILESYSTEMS.flatMap((filesystem) =>
          WRITES.map((write) => {
            const { a, b, estimate } = measured(`${filesystem} ${write}`);
            const rows = [
              ['prep-write', `${median(b).toFixed(0)} ${UNIT} a write`],
              ['base', `${median(a).toFixed(0)} ${UNIT} a write`],
            ] as const;
            return atLeast(LIMIT, `${filesystem}, ${write}`, rows, estimate);
          }),
        );
      },
      { countInstructions: COUNTS_INSTRUCTIONS, kernelArgs: KERNEL_ARGS },
    );
  },
};
