// SPDX-License-Identifier: GPL-2.0-only
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { InfraError } from '../../../src/core/errors.js';
import type { Mark } from '../../../src/core/outcome.js';
import { FstestsDriver } from '../../../src/fstests/driver.js';
import type { Incident } from '../../../src/guest/types.js';
import { summarise } from '../../../src/report/summary.js';
import { verdictOf } from '../../../src/report/verdict.js';
import { RunFolder } from '../../../src/run/folder.js';
import type { CellResult, RunPlan } from '../../../src/run/types.js';
import { diskError } from '../../../src/system/files.js';
import {
  fakeContext,
  fakeMachinery,
  type FakeBehaviour,
  type FakeMachinery,
  type ProbeCall,
} from '../../helpers/fake-machinery.js';
import { planFake, startFake } from '../../helpers/fake-run.js';
import { TREES, treeBuild } from '../../helpers/fstests-run.js';
import { LocalGuest } from '../../helpers/local-guest.js';
import { jsonLines, probeCase, probeResult, probeStart } from '../../helpers/probe-output.js';
import { tempDir } from '../../helpers/temp.js';

let root: string;
let folder: RunFolder;
beforeEach(() => {
  root = tempDir('run');
  folder = new RunFolder(path.join(root, 'state', 'runs', 'r'));
});

/** One variant, one file system, one test. */
function smallPlan(iterations: number): Promise<RunPlan> {
  return planFake({ variants: ['stock'], filesystems: ['ext4'], tests: ['parked'], iterations });
}

async function run(behaviour: FakeBehaviour, plan: number | RunPlan) {
  const machinery = fakeMachinery(behaviour);
  const context = fakeContext(root);
  const planned = typeof plan === 'number' ? await smallPlan(plan) : plan;
  const { record } = await startFake(context, machinery, planned);
  const warnings = context.events.flatMap((event) =>
    event.type === 'note' && event.level === 'warn' ? [event.text] : [],
  );
  return { record, results: record.results, machinery, warnings, verdict: verdictOf(summarise(record)) };
}

/** Cells in the journal by now. */
function finished(): number {
  return existsSync(folder.journalFile) ? readFileSync(folder.journalFile, 'utf8').split('\n').length - 1 : 0;
}

/** Gives its answer the first time it is asked while `when` holds, and nothing else. */
function once<T, C>(answer: T, when: (call: C) => boolean): (call: C) => T | undefined {
  let given = false;
  return (call) => {
    if (given || !when(call)) return undefined;
    given = true;
    return answer;
  };
}

const textOf = (...names: string[]): string => readFileSync(path.join(folder.dir, ...names), 'utf8');
const bootsOf = (machinery: FakeMachinery): number => machinery.boots.length;

const OOPS: Partial<Incident> = { outcome: 'oops', reason: 'BUG: kernel NULL pointer', reports: ['trace'] };
const marked = (mark: Mark): Partial<Incident> => ({ marks: [mark], reports: [`report of ${mark}`] });
const killed = {
  exitCode: undefined,
  signal: 'KILL',
  stdout: '',
  stderr: '',
  timedOut: false,
  durationMs: 1,
};
const lost = ({ probe, seed }: ProbeCall): string =>
  jsonLines(
    probeStart(probe, seed),
    probeResult(probe, seed, [probeCase({ name: 'write', verdict: 'lost', reason: '1 of 100', lost: 1 })]),
  );
const isFsck = ({ argv }: { argv: readonly string[] }): boolean => /e2fsck/.test(argv[0] ?? '');

describe('an oops that no command of a cell waits for', () => {
  it('is the outcome of the cell when it comes after its last command', async () => {
    const { results, machinery } = await run(
      { unread: once(OOPS, ({ probes, stopped }) => probes === 1 && !stopped && finished() === 0) },
      2,
    );
    expect(results).toMatchObject([
      { outcome: 'oops', tries: 1, standing: 'unexpected', guest: 'g1-stock' },
      { outcome: 'pass', tries: 1, guest: 'g2-stock' },
    ]);
    expect(results[0]?.detail).toContain('NULL pointer');
    expect(textOf(results[0]?.files ?? '', 'reports.txt')).toContain('trace');
    expect(bootsOf(machinery)).toBe(2);
  });

  it('is the outcome of the cell when it comes while the guest is prepared for it', async () => {
    const { results } = await run(
      { command: once({ ...OOPS, exec: undefined }, ({ argv }) => argv[0] === 'mkdir') },
      2,
    );
    expect(results).toMatchObject([
      { outcome: 'oops', tries: 1, standing: 'unexpected' },
      { outcome: 'pass' },
    ]);
    expect(textOf(results[0]?.files ?? '', 'reports.txt')).toContain('trace');
  });

  it('is the outcome of the cell when only the end of its guest shows it', async () => {
    // Without an exit status, which alone would be the machinery's and tried again.
    const { results } = await run(
      {
        probe: ({ number }) => (number === 0 ? { exec: undefined } : undefined),
        unread: once(OOPS, ({ stopped }) => stopped),
      },
      1,
    );
    expect(results).toMatchObject([{ outcome: 'oops', tries: 1 }]);
  });

  it('comes before a hang that was noticed before it', async () => {
    const { results } = await run(
      {
        probe: () => ({ exec: undefined, outcome: 'hang', reason: 'no end' }),
        unread: once(OOPS, ({ probes }) => probes === 1),
      },
      1,
    );
    expect(results).toMatchObject([{ outcome: 'oops', tries: 1 }]);
  });

  it('is a boot-error when the guest has not done anything yet', async () => {
    const { results, machinery } = await run({ unread: once(OOPS, () => true) }, 1);
    expect(results).toMatchObject([{ outcome: 'pass', tries: 2, earlier: [{ outcome: 'boot-error' }] }]);
    expect(machinery.stopped).toHaveLength(2);
  });
});

describe('an oops during a test of fstests', () => {
  /** generic/595 with a `check` that says "passed", in a guest whose kernel dies as told. */
  async function runHonest(change: (guest: LocalGuest) => void): Promise<readonly CellResult[]> {
    const machinery = fakeMachinery({
      boot: () => {
        const guest = new LocalGuest({ dir: tempDir('guest'), tree: path.join(TREES, 'honest') });
        change(guest);
        return { guest };
      },
    });
    machinery.drivers = async () => [
      new FstestsDriver({
        build: treeBuild('honest'),
        limits: { default: 100, tests: {} },
        timeFactor: 1,
        manifestFile: '/nowhere/common/overrides.yaml',
      }),
    ];
    const plan = await smallPlan(1);
    const cells = plan.cells.map((cell) => ({ ...cell, test: 'generic/595' }));
    const { record } = await startFake(fakeContext(root), machinery, {
      ...plan,
      tests: ['generic/595'],
      cells,
    });
    return record.results;
  }
  const quiet = { marks: [], reports: [], consoleFrom: 0, consoleTo: 0 };

  it('is its outcome when it comes before the results are brought back', async () => {
    const results = await runHonest((guest) => {
      const exec = guest.exec.bind(guest);
      guest.exec = async (argv, options) => {
        const result = await exec(argv, options);
        if (argv.includes('./check')) guest.alive = false;
        return result;
      };
      guest.unread = async () => (guest.alive ? quiet : { ...quiet, ...OOPS });
    });
    expect(results).toMatchObject([{ outcome: 'oops', tries: 1, reading: { outcome: 'pass' } }]);
  });

  it('is its outcome when it comes while they are', async () => {
    const results = await runHonest((guest) => {
      guest.pull = async () => {
        guest.alive = false;
        throw new InfraError({ subject: 'copy', observed: 'no exit status' });
      };
      guest.unread = async () => (guest.alive ? quiet : { ...quiet, ...OOPS });
    });
    expect(results).toMatchObject([{ outcome: 'oops', tries: 1 }]);
  });

  it('does not come from a disk that is full, which ends the run', async () => {
    const run = runHonest((guest) => {
      guest.pull = async () => {
        throw diskError(Object.assign(new Error('write'), { code: 'ENOSPC' }), root);
      };
    });
    await expect(run).rejects.toMatchObject({ exitCode: 69, failure: { observed: 'the disk is full' } });
    expect(finished()).toBe(0);
  });
});

describe('an oops of an idle guest', () => {
  it('becomes the outcome of the cell that ran in it last, and ends the run with 1', async () => {
    const { results, machinery, warnings, verdict, record } = await run(
      { unread: once(OOPS, ({ stopped }) => !stopped && finished() === 1) },
      2,
    );
    expect(results).toMatchObject([
      { outcome: 'oops', standing: 'unexpected', amended: true, reading: { outcome: 'pass' } },
      { outcome: 'pass', standing: 'as-contracted', guest: 'g2-stock' },
    ]);
    expect(results[0]?.detail).toBe(
      'oops, contract: pass: BUG: kernel NULL pointer (in the idle guest, after the cell)',
    );
    expect(verdict.exitCode).toBe(1);
    expect(bootsOf(machinery)).toBe(2);
    expect(warnings).toEqual([
      expect.stringMatching(
        /#\d, after it had ended: oops: .*; console: .*\/guests\/g1-stock\/console\.log$/,
      ),
    ]);
    expect((await folder.read()).results).toEqual(JSON.parse(JSON.stringify(record.results)));
    const files = results[0]?.files ?? '';
    expect(JSON.parse(textOf(files, 'verdict.json'))).toMatchObject({ state: 'finished', outcome: 'oops' });
    expect(textOf(files, 'late', 'reports.txt')).toBe('trace\n');
  });

  it('is not lost when only stopping it at the end of the run shows it', async () => {
    const { results, verdict } = await run(
      { unread: once(OOPS, ({ stopped }) => stopped && finished() === 2) },
      2,
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(['pass', 'oops']);
    expect(verdict.exitCode).toBe(1);
    expect((await folder.read()).results.map(({ outcome }) => outcome)).toEqual(['pass', 'oops']);
  });

  it('is not lost when it makes room for the guest of another variant', async () => {
    const plan = await planFake({ iterations: 1, filesystems: ['ext4'], tests: ['parked'] });
    const { results } = await run(
      { unread: once(OOPS, ({ stopped }) => stopped && finished() === 1) },
      { ...plan, liveGuests: 1 },
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(['oops', 'pass']);
  });

  it('is told, and amends nothing, when the run is interrupted in its cell', async () => {
    const controller = new AbortController();
    const context = fakeContext(root, controller.signal);
    const machinery = fakeMachinery({
      probe: ({ number }) => (number === 1 ? void controller.abort() : undefined),
      probeMs: 5,
      unread: once(OOPS, ({ stopped }) => stopped),
    });
    await expect(startFake(context, machinery, await smallPlan(2))).rejects.toMatchObject({ exitCode: 130 });
    expect((await folder.read()).results).toMatchObject([{ outcome: 'pass' }]);
    expect(context.events).toContainEqual({
      type: 'note',
      level: 'warn',
      text: expect.stringMatching(
        /^guest g1-stock, in a cell that did not come to its result: oops: .*console\.log$/,
      ) as string,
    });
  });
});

describe('an idle guest', () => {
  it.each(['kasan', 'lockdep', 'warn'] as const)(
    'that reports %s marks the cell before and is not used again',
    async (mark) => {
      const { results, machinery, warnings } = await run(
        { unread: once(marked(mark), ({ stopped }) => !stopped && finished() === 1) },
        2,
      );
      expect(results).toMatchObject([
        { outcome: 'pass', standing: 'unexpected', marks: [mark], amended: true },
        { outcome: 'pass', standing: 'as-contracted', marks: [] },
      ]);
      expect(warnings).toEqual([expect.stringContaining(`${mark} in the console`)]);
      expect(bootsOf(machinery)).toBe(2);
    },
  );

  it('that reports what contracts may allow marks the cell before and goes on', async () => {
    const { results, machinery, warnings } = await run(
      { unread: once(marked('ext4'), () => finished() === 1) },
      2,
    );
    expect(results).toMatchObject([
      { outcome: 'pass', standing: 'as-contracted', marks: ['ext4'] },
      { outcome: 'pass', marks: [] },
    ]);
    expect(warnings).toEqual([]);
    expect(bootsOf(machinery)).toBe(1);
  });

  it('whose QEMU ends is told of and replaced, with the results as they are', async () => {
    const { results, machinery, warnings } = await run(
      { unread: once({ outcome: 'lost', reason: 'QEMU was ended by SIGKILL' }, () => finished() === 1) },
      2,
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(['pass', 'pass']);
    expect(warnings).toEqual([
      expect.stringMatching(/^guest g1-stock, idle after .*: lost: QEMU was ended by SIGKILL; console: /),
    ]);
    expect(bootsOf(machinery)).toBe(2);
  });
});

describe('a report of the kernel', () => {
  it.each(['kasan', 'lockdep', 'warn'] as const)(
    'of kind %s ends the use of its guest after the cell, since the next may go unreported',
    async (mark) => {
      const { results, machinery } = await run(
        { command: once({ marks: [mark] }, (call) => isFsck(call)) },
        2,
      );
      expect(results.map(({ marks, guest }) => ({ marks, guest }))).toEqual([
        { marks: [mark], guest: 'g1-stock' },
        { marks: [], guest: 'g2-stock' },
      ]);
      expect(bootsOf(machinery)).toBe(2);
    },
  );

  it('while the guest was prepared marks the cell that it was prepared for', async () => {
    const { results } = await run({ command: once(marked('kasan'), ({ argv }) => argv[0] === 'chmod') }, 2);
    expect(results).toMatchObject([
      { outcome: 'pass', standing: 'unexpected', marks: ['kasan'] },
      { outcome: 'pass', standing: 'as-contracted', marks: [] },
    ]);
  });

  it("is not kmemleak's about what had leaked before the first test", async () => {
    const found = '[    9.000000] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)';
    const scan = {
      marks: ['warn' as const],
      reports: [found],
      exec: { ...killed, exitCode: 0, signal: undefined, stdout: 'able\n' },
    };
    const scans = ({ argv }: { argv: readonly string[] }): boolean => argv[2]?.includes('echo able') ?? false;
    const quiet = await run({ command: once(scan, scans), leaked: () => '' }, 2);
    expect(quiet.results.map(({ marks }) => marks)).toEqual([[], []]);
    expect(bootsOf(quiet.machinery)).toBe(1);
  });

  it('while a kernel booted is told of once a variant, and belongs to no cell', async () => {
    const plan = { ...(await smallPlan(2)), freshGuest: true };
    const booting = ({ guest }: { guest: string }): boolean => !seen.has(guest) && !!seen.add(guest);
    const seen = new Set<string>();
    const { results, warnings } = await run(
      { unread: (call) => (booting(call) ? marked('warn') : undefined) },
      plan,
    );
    expect(results).toMatchObject([{ marks: [] }, { marks: [] }]);
    expect(warnings).toEqual([
      expect.stringMatching(/^stock: warn in the console of guest g1-stock while it booted; .*console\.log$/),
    ]);
  });

  it('of a try that was repeated is kept and judged', async () => {
    const { results } = await run(
      { probe: ({ number }) => (number === 0 ? { ...marked('kasan'), exec: undefined } : undefined) },
      1,
    );
    expect(results).toMatchObject([
      {
        outcome: 'pass',
        standing: 'unexpected',
        detail: 'kasan in the console',
        marks: ['kasan'],
        tries: 2,
        earlier: [{ outcome: 'infra', marks: ['kasan'] }],
      },
    ]);
  });
});

describe('a loss', () => {
  it.each<[string, FakeBehaviour, RegExp]>([
    [
      'the check of the file system was killed',
      { command: (call) => (isFsck(call) ? { exec: killed } : undefined) },
      /^1 of 100; fsck of ext4: KILL$/,
    ],
    [
      'the check of the file system lost its session',
      {
        command: (call) =>
          isFsck(call) ? { outcome: 'infra', reason: 'closed', exec: undefined } : undefined,
      },
      /^1 of 100; closed$/,
    ],
    [
      'kmemleak could not be asked',
      {
        leaked: () => '',
        command: ({ argv }) =>
          argv[2]?.includes('kmemleak') && !argv[2].includes('echo able')
            ? { exec: { ...killed, signal: undefined, exitCode: 1, stderr: 'echo: I/O error\n' } }
            : undefined,
      },
      /^1 of 100; kmemleak: exit 1: echo: I\/O error$/,
    ],
    [
      'its session ended',
      { unread: once({ outcome: 'infra', reason: 'closed' }, ({ probes }) => probes === 1) },
      /^1 of 100; closed$/,
    ],
  ])('stands when %s afterwards, with that in its summary', async (_, behaviour, summary) => {
    const { results } = await run({ probe: lost, ...behaviour }, 1);
    expect(results).toMatchObject([{ outcome: 'fail', tries: 1, reading: { counts: { lost: 1 } } }]);
    expect(results[0]?.reading?.summary).toMatch(summary);
  });

  it('is what a pass is not: it lacks its proof when the check of the file system was killed', async () => {
    const { results } = await run({ command: once({ exec: killed }, isFsck) }, 1);
    expect(results).toMatchObject([
      { outcome: 'pass', tries: 2, earlier: [{ outcome: 'infra', detail: 'fsck of ext4: KILL' }] },
    ]);
  });
});
