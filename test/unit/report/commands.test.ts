// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onTestFinished, describe, expect, it, vi } from 'vitest';

import { runOutput } from '../../../src/cli/run-report.js';
import Report from '../../../src/commands/report.js';
import { tempDir } from '../../helpers/temp.js';
import { five, runOf } from './support.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const TIMING = {
  startedAt: '2026-11-23T00:10:00.000Z',
  totalMs: 1000,
  phases: {},
  insideGuestsMs: 900,
  outsideGuestsMs: 100,
  cells: 1,
  boots: 1,
  bootTimes: [],
};

/** A run on disk of which no cell has a result yet. */
function writeRun(dir: string): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'plan.json'), JSON.stringify(runOf([], {}, 2).plan));
}

/** What `enokey report` prints on stdout. @throws what it fails with */
async function report(state: string, args: readonly string[]): Promise<string> {
  const printed: string[] = [];
  class Printing extends Report {
    override log(text = ''): void {
      printed.push(text);
    }
    protected override async catch(error: Error): Promise<never> {
      throw error;
    }
  }
  vi.stubEnv('ENOKEY_STATE', state);
  vi.stubEnv('ENOKEY_CACHE', state);
  const { exitCode } = process;
  onTestFinished(() => {
    vi.unstubAllEnvs();
    process.exitCode = exitCode;
  });
  await Printing.run([...args], ROOT);
  return printed.join('\n');
}

describe('what a command that ran cells says', () => {
  it('has a command for the mail that finds the run wherever it is', async () => {
    const dir = path.join(tempDir('report'), 'my run');
    writeRun(dir);
    const { text } = runOutput(dir, runOf(five([0])), TIMING);
    expect(text).toContain(`mail:  enokey report '${dir}' --format mail`);
    expect(await report(tempDir('report'), [dir, '--format', 'mail'])).toContain('0 of 2 cells -- PARTIAL');
    const plain = runOutput('/var/tmp/run', runOf(five([0])), TIMING);
    expect(plain.text).toContain('mail:  enokey report /var/tmp/run --format mail');
  });
});

describe('report --compare', () => {
  function twoRuns(): string {
    const state = tempDir('report');
    for (const name of ['a', 'b']) writeRun(path.join(state, 'runs', name));
    return state;
  }

  it.each(['csv', 'mail'])('refuses --format %s, and says what works', async (format) => {
    await expect(report(twoRuns(), ['a', '--compare', 'b', '--format', format])).rejects.toMatchObject({
      exitCode: 2,
      message: `--format ${format}: a comparison cannot be shown so (expected table or json with --compare)`,
    });
  });

  it('has text and JSON', async () => {
    const state = twoRuns();
    expect(await report(state, ['a', '--compare', 'b'])).toContain('failed iterations: no data');
    const json = await report(state, ['a', '--compare', 'b', '--format', 'json']);
    expect(JSON.parse(json)).toHaveLength(1);
  });
});
