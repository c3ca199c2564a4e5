// SPDX-License-Identifier: GPL-2.0-only
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import { cleanLine } from '../core/clean-text.js';
import { InfraError } from '../core/errors.js';
import type { DiskSpec, Guest, SupervisedResult } from '../guest/types.js';
import { UnsafeArchiveError } from '../guest/tar-read.js';
import type { Reading } from '../probe/types.js';
import type { CellContext, CellReading, TestDriver } from '../run/driver.js';
import { isDiskFull, keepConsole, save } from '../run/evidence.js';
import { failureOf, mergeIncidents, withFailedChore } from '../run/incidents.js';
import { LeakCheck } from '../run/leak-check.js';
import type { Environment } from '../run/types.js';
import { readTail } from '../system/files.js';
import type { FstestsBuild } from './build.js';
import { BoundedLog } from './bounded-log.js';
import { checkArgv, fstestsDisks, GUEST, PREPARE_SCRIPT, setUpScript } from './guest-setup.js';
import { judge } from './judge.js';
import { limitOf, type Limits } from './limits.js';
import { localConfig } from './local-config.js';
import { fileNameOf, parseTestName, requireTestName, type TestName } from './names.js';
import { CheckParser } from './parse.js';

/** ms at time scale 1, for chores in the guest. */
const CHORE_LIMIT_MS = 30_000;
/** What one test may bring back. */
const RESULTS_LIMIT = 256 * 1024 * 1024;
const TEXT_LIMIT = 1024 * 1024;

interface Prepared {
  readonly testDevice: string;
  readonly scratchDevice: string;
  /** What TEST_DEV was last made for; undefined after a test that may have broken it. */
  testFilesystem?: string;
}

export interface FstestsDriverOptions {
  readonly build: FstestsBuild;
  readonly limits: Limits;
  /** TIME_FACTOR */
  readonly timeFactor: number;
  /** For messages about overrides that do not fit. */
  readonly manifestFile: string;
}

/** Runs fstests' own tests with `check`, one test a time, each with a RESULT_BASE of its own. */
export class FstestsDriver implements TestDriver {
  readonly disks: readonly DiskSpec[];
  readonly environment: Partial<Environment>;
  private readonly prepared = new WeakMap<Guest, Prepared>();
  private readonly leaks = new LeakCheck();

  constructor(private readonly options: FstestsDriverOptions) {
    this.disks = fstestsDisks(options.build.disk);
    const { commit, overrides } = options.build;
    this.environment = { fstests: { commit, timeFactor: options.timeFactor, overrides } };
  }

  owns(test: string): boolean {
    const name = parseTestName(test);
    return name !== undefined && !name.port;
  }

  async prepare(guest: Guest, _filesystem: string): Promise<void> {
    if (this.prepared.has(guest)) return;
    const result = await guest.exec(['sh', '-c', PREPARE_SCRIPT], { limitMs: choreLimit(guest) });
    const [testDevice, scratchDevice] = (result.exec?.stdout ?? '').trim().split('\n');
    const failure = failureOf('setting fstests up', result);
    const device = /^\/dev\/[a-z0-9]+$/;
    if (failure || !testDevice || !scratchDevice || !device.test(testDevice) || !device.test(scratchDevice)) {
      throw new InfraError({
        subject: `guest ${guest.name}`,
        observed: failure ?? 'has no test and scratch devices',
      });
    }
    await this.leaks.prepare(guest);
    this.prepared.set(guest, { testDevice, scratchDevice });
  }

  async run(guest: Guest, context: CellContext): Promise<CellReading> {
    const work: SupervisedResult[] = [];
    const reading = await this.measure(guest, context, work);
    const incident = mergeIncidents(work);
    await keepConsole(guest.console, incident, context.filesDir);
    return { reading, incident };
  }

  private async measure(
    guest: Guest,
    context: CellContext,
    work: SupervisedResult[],
  ): Promise<Reading | undefined> {
    const { cell, filesDir } = context;
    const { build, limits, timeFactor } = this.options;
    const name = requireTestName(cell.test);
    const state = this.prepared.get(guest);
    if (!state) return infra('the guest was not prepared');
    const results = `${GUEST.work}/${fileNameOf(name)}.${cell.iteration}`;
    const config = localConfig({
      filesystem: cell.filesystem,
      testDevice: state.testDevice,
      testDir: GUEST.testDir,
      scratchDevice: state.scratchDevice,
      scratchDir: GUEST.scratchDir,
      timeFactor,
      mountOptions: context.variant.mountOptions[cell.filesystem] ?? '',
      overrides: `${GUEST.tree}/enokey/common`,
      resultBase: results,
    });
    await save(filesDir, 'local.config', config);

    context.progress('set up');
    const script = setUpScript({
      filesystem: cell.filesystem,
      testDevice: state.testDevice,
      mkfs: state.testFilesystem !== cell.filesystem,
      results,
      ...(name.override ? { override: { id: name.id, folder: name.override } } : {}),
    });
    const ready = await guest.exec(['sh', '-c', script], { limitMs: choreLimit(guest), input: config });
    work.push(ready);
    if (ready.outcome) return undefined;
    const notReady = failureOf('setting the test up', ready);
    if (notReady) return infra(notReady);
    // Until the test has ended well, TEST_DEV may be broken or in use.
    state.testFilesystem = undefined;

    context.progress('run check');
    const parser = new CheckParser();
    const log = new BoundedLog();
    const limitMs = limitOf(limits, name.id, context.timeScale, timeFactor);
    const checked = await guest.exec(checkArgv(name.id), {
      limitMs,
      keepBytes: 64 * 1024,
      onLine: (line, stream) => {
        log.push(line);
        if (stream === 'stdout') parser.push(line);
      },
    });
    work.push(checked);
    await save(filesDir, 'check.out', log.toString());
    const pulled = guest.alive ? await this.bringBack(guest, results, filesDir) : undefined;
    if (checked.outcome) return undefined;
    let reading = await this.read(name, parser, checked, filesDir);
    if (pulled !== undefined && reading.outcome !== 'infra') {
      reading = withFailedChore(reading, `the result files could not be brought back: ${pulled}`);
    }
    if (reading.outcome === 'pass' || reading.outcome === 'notrun') state.testFilesystem = cell.filesystem;
    const whole = await this.withLeaks(reading, guest, context, work);
    return build.misfits.length > 0 && cell.filesystem === 'btrfs'
      ? { ...whole, summary: `${whole.summary} (overrides do not fit)` }
      : whole;
  }

  /** A test's reading; memory that it leaked makes it a failure, where the kernel can tell. */
  private async withLeaks(
    reading: Reading,
    guest: Guest,
    context: CellContext,
    work: SupervisedResult[],
  ): Promise<Reading> {
    if (reading.outcome === 'notrun' || reading.outcome === 'infra') return reading;
    if (!guest.alive) return reading;
    const { report, failure } = await this.leaks.look(guest, context, work);
    if (failure) return withFailedChore(reading, failure);
    if (!report) return reading;
    const before = reading.outcome === 'pass' ? '' : `; ${reading.summary}`;
    return { ...reading, outcome: 'fail', summary: `memory leak, see kmemleak.txt${before}` };
  }

  /**
   * Copies RESULT_BASE below `results/`; returns why it could not. Links, devices and the like never come over: where
   * there are some, they are taken out in the guest, listed in left-out.txt, and the rest is copied once more.
   */
  private async bringBack(guest: Guest, from: string, filesDir: string): Promise<string | undefined> {
    const to = path.join(filesDir, 'results');
    for (let attempt = 1; ; attempt++) {
      try {
        await guest.pull(from, to, RESULTS_LIMIT);
        return undefined;
      } catch (error) {
        // A guest that lies about its files, or died meanwhile; a full disk of the host is another matter.
        if (!(error instanceof InfraError) || isDiskFull(error)) throw error;
        if (!(error instanceof UnsafeArchiveError) || attempt > 1 || !guest.alive) return error.message;
      }
      await rm(to, { recursive: true, force: true });
      const cleaned = await guest.exec(
        ['find', from, '!', '-type', 'f', '!', '-type', 'd', '-printf', '%y %P\\n', '-delete'],
        {
          limitMs: choreLimit(guest),
          keepBytes: 64 * 1024,
        },
      );
      const listed = (cleaned.exec?.stdout ?? '').split('\n').map(cleanLine).filter(Boolean);
      await save(filesDir, 'left-out.txt', `${listed.join('\n')}\n`);
    }
  }

  private async read(
    name: TestName,
    parser: CheckParser,
    checked: SupervisedResult,
    filesDir: string,
  ): Promise<Reading> {
    const base = path.join(filesDir, 'results', name.id);
    const [notrun, outBad, full, dmesg] = await Promise.all(
      ['notrun', 'out.bad', 'full', 'dmesg'].map((suffix) => readTail(`${base}.${suffix}`, TEXT_LIMIT)),
    );
    return judge(name.id, {
      output: parser.end(),
      exitCode: checked.exec?.exitCode,
      timedOut: checked.exec?.timedOut ?? false,
      files: { notrun, outBad, full, dmesg },
      golden: await this.golden(name),
      stderr: checked.exec?.stderr.trim().split('\n').at(-1),
    });
  }

  private async golden(name: TestName): Promise<string | undefined> {
    const upstream = path.join(this.options.build.tree, 'tests', `${name.id}.out`);
    const own = name.override
      ? path.join(
          path.dirname(path.dirname(this.options.manifestFile)),
          name.override,
          'tests',
          `${name.id}.out`,
        )
      : undefined;
    const text = own ? await readFile(own, 'utf8').catch(() => undefined) : undefined;
    return text ?? (await readFile(upstream, 'utf8').catch(() => undefined));
  }
}

function infra(summary: string): Reading {
  return { outcome: 'infra', summary, cases: {} };
}

function choreLimit(guest: Guest): number {
  return CHORE_LIMIT_MS * guest.spec.accelerator.timeScale;
}
