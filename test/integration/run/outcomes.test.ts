// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Variant } from '../../../src/config/types.js';
import { InfraError } from '../../../src/core/errors.js';
import { RunFolder } from '../../../src/run/folder.js';
import type { RunPlan } from '../../../src/run/types.js';
import {
  fakeContext,
  fakeMachinery,
  fakeVariant,
  healthyAnswer,
  type FakeBehaviour,
} from '../../helpers/fake-machinery.js';
import { planFake, startFake } from '../../helpers/fake-run.js';
import { jsonLines, probeCase, probeResult, probeStart } from '../../helpers/probe-output.js';

let root: string;
let folder: RunFolder;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'enokey run '));
  folder = new RunFolder(path.join(root, 'state', 'runs', 'r'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** One variant, one file system, one test, three iterations. */
function smallPlan(changes: Parameters<typeof planFake>[0] = {}): Promise<RunPlan> {
  return planFake({
    variants: ['stock'],
    filesystems: ['ext4'],
    tests: ['parked'],
    iterations: 3,
    ...changes,
  });
}

async function runSmall(behaviour: FakeBehaviour, plan?: RunPlan) {
  const machinery = fakeMachinery(behaviour);
  const context = fakeContext(root);
  const { record, timing } = await startFake(context, machinery, plan ?? (await smallPlan()));
  return { machinery, record, timing, context };
}

const calm = { marks: [], reports: [], consoleFrom: 0, consoleTo: 0 } as const;

describe('a guest that dies', () => {
  it('is recorded, never tried again, and the next cell gets a fresh guest', async () => {
    const { record, machinery } = await runSmall({
      probe: ({ number }) =>
        number === 1
          ? {
              ...calm,
              exec: undefined,
              outcome: 'oops',
              reason: 'BUG: kernel NULL pointer',
              reports: ['trace'],
            }
          : undefined,
    });
    expect(record.results.map((cell) => cell.outcome)).toEqual(['pass', 'oops', 'pass']);
    expect(record.results.map((cell) => cell.tries)).toEqual([1, 1, 1]);
    expect(record.results[1]).toMatchObject({
      standing: 'unexpected',
      detail: expect.stringContaining('NULL pointer') as string,
    });
    expect(machinery.boots).toHaveLength(2);
    expect(record.results.map((cell) => cell.guest)).toEqual(['g1-stock', 'g1-stock', 'g2-stock']);
    const dir = path.join(folder.dir, record.results[1]?.files ?? '');
    expect(await readFile(path.join(dir, 'reports.txt'), 'utf8')).toContain('trace');
  });

  it.each(['hang', 'lost'] as const)('by %s is one try', async (outcome) => {
    const { record } = await runSmall(
      { probe: () => ({ ...calm, exec: undefined, outcome, reason: 'x' }) },
      await smallPlan({ iterations: 1 }),
    );
    expect(record.results).toMatchObject([{ outcome, tries: 1, standing: 'unexpected' }]);
  });
});

describe('an answer that cannot be believed', () => {
  it.each([
    ['no output', ''],
    ['a start alone', jsonLines(probeStart('parked', 1))],
    ['a truncated result', healthyAnswer('parked', 1).slice(0, -10)],
    ['an answer to another seed', healthyAnswer('parked', 1)],
    ['garbage', 'Segmentation fault\n'],
  ])('(%s) is infra, tried three times, each in a fresh guest, and counted', async (_, answer) => {
    const { record, machinery } = await runSmall(
      {
        probe: () => ({
          ...calm,
          exec: {
            exitCode: 0,
            signal: undefined,
            stdout: answer,
            stderr: '',
            timedOut: false,
            durationMs: 1,
          },
        }),
      },
      await smallPlan({ iterations: 1 }),
    );
    expect(record.results).toMatchObject([{ outcome: 'infra', tries: 3, standing: 'unexpected' }]);
    expect(record.results[0]?.earlier).toHaveLength(2);
    expect(machinery.boots).toHaveLength(3);
    const files = await readdir(path.join(folder.dir, path.dirname(record.results[0]?.files ?? '')));
    expect(files.sort()).toEqual(['0', '0.try-1', '0.try-2']);
  });

  it('lets a later try stand, with the earlier ones on record', async () => {
    const { record } = await runSmall(
      { probe: ({ number }) => (number === 0 ? { exec: undefined } : undefined) },
      await smallPlan({ iterations: 1 }),
    );
    expect(record.results).toMatchObject([{ outcome: 'pass', tries: 2, earlier: [{ outcome: 'infra' }] }]);
  });

  it('is never a pass without an exit status', async () => {
    const { record } = await runSmall(
      {
        probe: ({ probe, seed }) => ({
          ...calm,
          exec: {
            exitCode: undefined,
            signal: undefined,
            stdout: healthyAnswer(probe, seed),
            stderr: '',
            timedOut: false,
            durationMs: 1,
          },
        }),
      },
      await smallPlan({ iterations: 1 }),
    );
    expect(record.results[0]?.outcome).toBe('infra');
  });

  it('is never a pass with a failing exit status', async () => {
    const { record } = await runSmall(
      {
        probe: ({ probe, seed }) => ({
          ...calm,
          exec: {
            exitCode: 1,
            signal: undefined,
            stdout: healthyAnswer(probe, seed),
            stderr: '',
            timedOut: false,
            durationMs: 1,
          },
        }),
      },
      await smallPlan({ iterations: 1 }),
    );
    expect(record.results[0]?.outcome).toBe('infra');
  });
});

describe('a failure', () => {
  it('is never tried again', async () => {
    const { record, machinery } = await runSmall({
      probe: ({ probe, seed }) =>
        jsonLines(
          probeStart(probe, seed),
          probeResult(probe, seed, [
            probeCase({ name: 'write', verdict: 'lost', reason: '1 of 100', lost: 1 }),
          ]),
        ),
    });
    expect(record.results.map(({ outcome, tries }) => ({ outcome, tries }))).toEqual(
      Array(3).fill({ outcome: 'fail', tries: 1 }),
    );
    expect(machinery.calls).toHaveLength(3);
  });

  it('is what a damaged file system is, with the check kept', async () => {
    const { record } = await runSmall(
      { fsck: () => ({ exitCode: 4, stdout: 'Inode 12 is \u001b[31mcorrupt\u001b[0m. Fix? no' }) },
      await smallPlan({ iterations: 1 }),
    );
    expect(record.results).toMatchObject([
      { outcome: 'fail', reading: { summary: 'e2fsck: exit 4: Inode 12 is corrupt. Fix? no' } },
    ]);
    expect(
      await readFile(path.join(folder.dir, record.results[0]?.files ?? '', 'fsck.txt'), 'utf8'),
    ).toContain('Inode 12');
  });

  it('stands beside a mark for memory that leaked, with the report kept', async () => {
    let asked = 0;
    const report = 'unreferenced object 0xffff888001234000 (size 512):\n  comm "enokey-probe"\n';
    const { record } = await runSmall(
      { leaked: () => (asked++ === 0 ? report : '') },
      await smallPlan({ iterations: 2 }),
    );
    expect(record.results.map(({ outcome, standing, marks }) => ({ outcome, standing, marks }))).toEqual([
      { outcome: 'pass', standing: 'unexpected', marks: ['warn'] },
      { outcome: 'pass', standing: 'as-contracted', marks: [] },
    ]);
    const files = record.results.map((result) => path.join(folder.dir, result.files, 'kmemleak.txt'));
    expect(await readFile(files[0] ?? '', 'utf8')).toBe(report);
    await expect(readFile(files[1] ?? '', 'utf8')).rejects.toThrow(/ENOENT/);
  });

  it('by a stuck thread is a hang', async () => {
    const { record, machinery } = await runSmall(
      {
        probe: ({ probe, seed }) => ({
          ...calm,
          exec: {
            exitCode: 1,
            signal: undefined,
            stdout: jsonLines(
              probeStart(probe, seed),
              probeResult(probe, seed, [], { verdict: 'error', reason: 'deadline', phase: 'remove-key' }),
            ),
            stderr: '',
            timedOut: false,
            durationMs: 1,
          },
        }),
      },
      await smallPlan({ iterations: 2 }),
    );
    expect(record.results).toMatchObject([
      { outcome: 'hang', tries: 1, detail: expect.stringContaining('remove-key') as string },
      { outcome: 'hang', tries: 1 },
    ]);
    expect(machinery.boots).toHaveLength(2);
  });
});

describe('a kernel that does not boot', () => {
  it('is tried three times once, and its other cells are told so', async () => {
    const { record, machinery } = await runSmall({
      boot: () => ({ outcome: 'boot-error', reason: 'no SSH session within 100 s' }),
    });
    expect(machinery.boots).toHaveLength(3);
    expect(record.results.map(({ outcome, tries }) => ({ outcome, tries }))).toEqual([
      { outcome: 'boot-error', tries: 3 },
      { outcome: 'boot-error', tries: 0 },
      { outcome: 'boot-error', tries: 0 },
    ]);
    expect(record.results[1]?.detail).toMatch(/not tried: .* no SSH session/);
    expect(record.complete).toBe(true);
  });

  it('once but then does is counted as a try', async () => {
    const { record } = await runSmall({
      boot: (number) => (number === 1 ? { outcome: 'boot-error', reason: 'slow' } : undefined),
    });
    expect(record.results.map((cell) => [cell.outcome, cell.tries])).toEqual([
      ['pass', 2],
      ['pass', 1],
      ['pass', 1],
    ]);
  });
});

describe('guests of a run', () => {
  it('persist over cells, one a variant', async () => {
    const { machinery, timing } = await runSmall({}, await planFake({ iterations: 2 }));
    expect(machinery.boots.map((spec) => spec.release).sort()).toEqual(['7.3.4-soft', '7.3.4-stock']);
    expect(machinery.stopped).toHaveLength(2);
    expect(timing.boots).toBe(2);
    expect(timing.outsideGuestsMs).toBeLessThanOrEqual(timing.totalMs);
  });

  it('are booted for every cell when asked for', async () => {
    const { machinery } = await runSmall({}, await smallPlan({ freshGuest: true }));
    expect(machinery.boots).toHaveLength(3);
    expect(machinery.stopped).toHaveLength(3);
  });

  it('make room for each other when they cannot all live', async () => {
    const plan = {
      ...(await planFake({ iterations: 2, filesystems: ['ext4'], tests: ['mmap'] })),
      liveGuests: 1,
    };
    const { machinery, record } = await runSmall({}, plan);
    expect(record.complete).toBe(true);
    expect(machinery.stopped.length).toBe(machinery.boots.length);
  });
});

describe('a run that is interrupted', () => {
  it('keeps its journal, stops its guests, and says how to go on', async () => {
    const controller = new AbortController();
    const context = fakeContext(root, controller.signal);
    const machinery = fakeMachinery({
      probe: ({ number }) => {
        if (number === 1) controller.abort();
        return undefined;
      },
      probeMs: 5,
    });
    await expect(startFake(context, machinery, await smallPlan())).rejects.toMatchObject({
      exitCode: 130,
      message: expect.stringMatching(
        /1 of 3 cells done; go on with: enokey matrix --resume --run '/,
      ) as string,
    });
    expect(machinery.stopped).toHaveLength(1);
    expect((await folder.read()).results).toHaveLength(1);
    const { record } = await startFake(fakeContext(root), fakeMachinery(), undefined);
    expect(record.results.map((cell) => cell.iteration).sort()).toEqual([0, 1, 2]);
  });
});

describe('a resume', () => {
  it('runs nothing and boots nothing when all is done', async () => {
    await runSmall({});
    const machinery = fakeMachinery();
    const { record } = await startFake(fakeContext(root), machinery, undefined);
    expect(record.complete).toBe(true);
    expect(machinery.boots).toHaveLength(0);
  });

  it('is refused when the kernel is another one, naming what differs', async () => {
    const controller = new AbortController();
    const machinery = fakeMachinery({ probe: () => (controller.abort(), undefined), probeMs: 1 });
    await startFake(fakeContext(root, controller.signal), machinery, await smallPlan()).catch(
      () => undefined,
    );
    await expect(
      startFake(fakeContext(root), fakeMachinery({ artifactKey: 'other' }), undefined),
    ).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/the kernel of stock was key-stock, is now other/) as string,
    });
  });

  it('is refused when the image was made anew with other packages by then', async () => {
    const controller = new AbortController();
    const machinery = fakeMachinery({ probe: () => (controller.abort(), undefined), probeMs: 1 });
    await startFake(fakeContext(root, controller.signal), machinery, await smallPlan()).catch(
      () => undefined,
    );
    const again = fakeMachinery({ imageContents: 'of another day' });
    await expect(startFake(fakeContext(root), again, undefined)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(
        /packages in the image was image-contents, is now of another day/,
      ) as string,
    });
    expect(again.boots).toEqual([]);
  });

  it.each<[string, Partial<Variant>, RegExp]>([
    [
      'mount options',
      { mountOptions: { ext4: 'discard' } },
      /mount -o of stock on ext4 was nothing, is now discard/,
    ],
    [
      'kernel arguments',
      { kernelArgs: ['kmemleak=off'] },
      /kernel command line was nothing, is now kmemleak=off/,
    ],
    [
      'promises',
      { contract: { all: { 'probe/parked': { outcome: ['fail'] } } } },
      /the contract of stock: ext4 probe\/parked outcome was pass, is now fail/,
    ],
  ])('is refused when a variant has other %s by then', async (_, changes, said) => {
    const controller = new AbortController();
    const machinery = fakeMachinery({ probe: () => (controller.abort(), undefined), probeMs: 1 });
    await startFake(fakeContext(root, controller.signal), machinery, await smallPlan()).catch(
      () => undefined,
    );
    const again = fakeMachinery();
    await expect(
      startFake(fakeContext(root), again, undefined, [fakeVariant('stock', changes)]),
    ).rejects.toMatchObject({ exitCode: 2, message: expect.stringMatching(said) as string });
    expect(again.boots).toEqual([]);
    const before = await folder.readEnvironment();
    const { variants: __, ...older } = before!;
    await folder.writeEnvironment(older);
    const resumed = await startFake(fakeContext(root), again, undefined, [fakeVariant('stock', changes)]);
    expect(resumed.record.complete).toBe(true);
  });

  it('is what a second start in the same folder has to say', async () => {
    await runSmall({});
    await expect(runSmall({})).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/already holds a run/) as string,
    });
  });
});

describe('a failing ingredient', () => {
  it('ends the others and is what the user sees', async () => {
    const machinery = fakeMachinery();
    let imageEnded = false;
    machinery.image = (context) =>
      new Promise((_, reject) => {
        context.signal.addEventListener('abort', () => {
          imageEnded = true;
          reject(new Error('aborted'));
        });
      });
    machinery.kernel = async () => {
      throw new InfraError({ subject: 'make', observed: 'fs/crypto/keyring.c:10: error' });
    };
    await expect(startFake(fakeContext(root), machinery, await smallPlan())).rejects.toThrow(/keyring\.c/);
    expect(imageEnded).toBe(true);
  });
});

describe('the verdict file', () => {
  it('is there and says running before the test starts, finished afterwards', async () => {
    const seen: unknown[] = [];
    const machinery = fakeMachinery({
      probe: () => {
        return undefined;
      },
    });
    const plan = await smallPlan({ iterations: 1 });
    const cell = plan.cells[0];
    if (!cell) throw new Error('no cell');
    const file = path.join(folder.dir, RunFolder.cellPath(cell), 'verdict.json');
    const drivers = machinery.drivers.bind(machinery);
    machinery.drivers = async (context, asked) =>
      (await drivers(context, asked)).map((driver) => ({
        ...driver,
        disks: driver.disks,
        owns: (test: string) => driver.owns(test),
        prepare: (guest, filesystem) => driver.prepare(guest, filesystem),
        run: async (guest, cellContext) => {
          seen.push(JSON.parse(await readFile(file, 'utf8')));
          return driver.run(guest, cellContext);
        },
      }));
    await startFake(fakeContext(root), machinery, plan, [fakeVariant('stock')]);
    expect(seen).toMatchObject([{ state: 'running', try: 1, variant: 'stock' }]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ state: 'finished', outcome: 'pass' });
  });
});

describe('a kernel without encryption', () => {
  it('is notrun with the reason, without a check of a file system that was never used', async () => {
    const { record } = await runSmall(
      {
        probe: ({ probe, seed }) => ({
          ...calm,
          exec: {
            exitCode: 1,
            signal: undefined,
            stdout: jsonLines(probeStart(probe, seed), {
              ...{ type: 'error', schema: 1, probe, phase: 'mount', subject: '/dev/enokey/scratch' },
              ...{ observed: 'mount: ENODEV', expected: null, next: null, errno: 'ENODEV' },
            }),
            stderr: '',
            timedOut: false,
            durationMs: 1,
          },
        }),
        fsck: () => ({ exitCode: 8, stdout: 'never asked' }),
      },
      await smallPlan({ iterations: 1 }),
    );
    expect(record.results).toMatchObject([
      {
        outcome: 'notrun',
        tries: 1,
        standing: 'unexpected',
        reading: { summary: '/dev/enokey/scratch: mount: ENODEV (mount)' },
      },
    ]);
  });
});
