// SPDX-License-Identifier: GPL-2.0-only
import type { RunningGuest } from '../src/guest/running.js';
import { COUNTS_INSTRUCTIONS, KERNEL_ARGS, UNIT } from './clock.js';
import { shell, withGuests } from './guest.js';
import { atLeast } from './limit.js';
import { median } from './measure.js';
import { medianInterval } from './median-interval.js';
import { alternate, type Comparison, type Costs } from './rounds.js';
import type { Bench, BenchResult } from './types.js';
import { disksFor, makeVolume, type Volume, type VolumeSpec } from './volume.js';
import { FUNCTIONS, parseFigures } from './xfs-io.js';

const ROUNDS = 9;
const LENGTH = '8m';
const UNENCRYPTED_LIMIT = 0.97;
const ENCRYPTION_LIMIT = 0.8;
const options = { countInstructions: COUNTS_INSTRUCTIONS, kernelArgs: KERNEL_ARGS };

/** Writes end with an fsync that is part of the figure; reads begin with an empty page cache. */
const SEQUENTIAL = `
  cold; measure write $file 'pwrite -C -W -b 128k 0 ${LENGTH}'
  cold; measure read $file 'pread -C -b 128k 0 ${LENGTH}'`;
const RANDOM = `
  cold; measure random-write $file 'pwrite -C -W -R -Z 1 -b 4k 0 ${LENGTH}'
  cold; measure random-read $file 'pread -C -R -Z 2 -b 4k 0 ${LENGTH}'`;

/** Nanoseconds a byte of each command on a new file. @throws when one did not go to the disk. */
async function visit(guest: RunningGuest, { device, dir }: Volume, commands: string): Promise<Costs> {
  const said = await shell(
    guest,
    `${FUNCTIONS(device)}\nfile=${dir}/file; rm -f $file; sync\n${commands}\nrm $file; sync`,
  );
  const costs = new Map<string, number>();
  for (const [name, { nsPerCall, bytes, calls, deviceRead, deviceWritten }] of parseFigures(said)) {
    // Random offsets repeat themselves: some blocks are read or written out once only.
    const moved = name.endsWith('write') ? deviceWritten : deviceRead;
    if (moved < bytes / 2)
      throw new Error(`${guest.spec.release}: ${name}: the disk moved ${moved} of ${bytes} bytes`);
    costs.set(name, (nsPerCall * calls) / bytes);
  }
  return costs;
}

function row(values: readonly number[]): string {
  return `${median(values).toFixed(2)} ${UNIT} a byte`;
}

/** An unencrypted btrfs of base's kernel against one of stock's, two guests in turns. */
async function unencrypted(): Promise<BenchResult[]> {
  const spec: VolumeSpec = { name: 'plain', filesystem: 'btrfs', encrypted: false };
  return withGuests(
    ['stock', 'base'],
    disksFor([spec]),
    async (guests) => {
      const sides = [];
      for (const guest of guests) {
        const volume = await makeVolume(guest, spec);
        sides.push(() => visit(guest, volume, SEQUENTIAL + RANDOM));
      }
      const measured = await alternate(ROUNDS, sides[0]!, sides[1]!);
      return ['write', 'read', 'random-write', 'random-read'].map((name) => {
        const { a, b, estimate } = measured(name);
        const rows = [
          ['base', row(b)],
          ['stock', row(a)],
        ] as const;
        return atLeast(UNENCRYPTED_LIMIT, `unencrypted btrfs, ${name}`, rows, estimate);
      });
    },
    options,
  );
}

/**
 * What encryption costs on btrfs, compared with what it costs on ext4, all on base's kernel in one guest: the share of
 * the throughput that it leaves. The guest's kernel computes checksums without the CPU's help, which makes encryption
 * look cheap on btrfs. So it is compared without checksums as well, but there by what encryption adds to a byte: as
 * little else is left to do, a share would say how cheap that little is.
 */
async function encryption(): Promise<BenchResult[]> {
  const kinds = [
    { kind: 'btrfs', filesystem: 'btrfs' },
    { kind: 'nodatasum', filesystem: 'btrfs', options: 'nodatasum' },
    { kind: 'ext4', filesystem: 'ext4' },
  ] as const;
  const specs = kinds.flatMap(({ kind, ...how }) =>
    [false, true].map((encrypted) => ({
      ...how,
      encrypted,
      name: `${kind}-${encrypted ? 'secret' : 'plain'}`,
    })),
  );
  return withGuests(
    ['base'],
    disksFor(specs),
    async ([guest]) => {
      if (!guest) throw new Error('no guest');
      const volumes = new Map<string, Volume>();
      for (const spec of specs) volumes.set(spec.name, await makeVolume(guest, spec));
      const side = (state: 'plain' | 'secret') => async (): Promise<Costs> => {
        const costs = new Map<string, number>();
        for (const { kind } of kinds) {
          const volume = volumes.get(`${kind}-${state}`) as Volume;
          for (const [name, cost] of await visit(guest, volume, SEQUENTIAL))
            costs.set(`${kind} ${name}`, cost);
        }
        return costs;
      };
      const measured = await alternate(ROUNDS, side('secret'), side('plain'));
      const share = ({ a, b }: Comparison, i: number): number => (b[i] ?? NaN) / (a[i] ?? NaN);
      const added = ({ a, b }: Comparison, i: number): number => (a[i] ?? NaN) - (b[i] ?? NaN);
      const over = (one: Comparison, of: typeof share): number => median(one.a.map((_, i) => of(one, i)));
      return (['write', 'read'] as const).flatMap((name) => {
        const [btrfs, bare, ext4] = kinds.map(({ kind }) => measured(`${kind} ${name}`)) as [
          Comparison,
          Comparison,
          Comparison,
        ];
        const shares = medianInterval(btrfs.a.map((_, i) => share(btrfs, i) / share(ext4, i)));
        const costs = medianInterval(bare.a.map((_, i) => added(ext4, i) / added(bare, i)));
        const keeps = (one: Comparison): string =>
          `${over(one, share).toFixed(3)} (${row(one.a)}, ${row(one.b)} without)`;
        const adds = (one: Comparison): string => `${over(one, added).toFixed(2)} ${UNIT} a byte`;
        return [
          atLeast(
            ENCRYPTION_LIMIT,
            `encrypted btrfs, ${name}`,
            [
              ['btrfs keeps', keeps(btrfs)],
              ['ext4 keeps', keeps(ext4)],
            ],
            shares,
          ),
          atLeast(
            ENCRYPTION_LIMIT,
            `encrypted btrfs without checksums, ${name}`,
            [
              ['encryption adds', adds(bare)],
              ['on ext4', adds(ext4)],
            ],
            costs,
          ),
        ];
      });
    },
    options,
  );
}

/** Throughput of sequential and random I/O: what the base series costs who does not encrypt, and who does. */
export const throughput: Bench = {
  name: 'throughput',
  limit: `at least ${UNENCRYPTED_LIMIT} and ${ENCRYPTION_LIMIT}`,
  async measure() {
    return [...(await unencrypted()), ...(await encryption())];
  },
};
