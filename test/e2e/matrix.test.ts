// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { PROBE_TESTS } from '../../src/probe/catalog.js';
import { cellId } from '../../src/run/plan.js';
import { RunFolder } from '../../src/run/folder.js';
import { tempDir } from '../helpers/temp.js';
import { until } from '../helpers/until.js';
import { enokey, startEnokey, type RunningCli } from './support/cli.js';

const CONTROLS = ['matrix', '--variants', 'stock', '--fs', 'ext4,f2fs', '--quick', '--seed', '1'];

/** QEMUs whose command line names the folder. */
function qemusOf(dir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return argv.includes('qemu-system') && argv.includes(dir);
    } catch {
      return false;
    }
  });
}

async function journalLength(dir: string): Promise<number> {
  try {
    return (await new RunFolder(dir).read()).results.length;
  } catch {
    return 0;
  }
}

async function untilCells(cli: RunningCli, dir: string, cells: number): Promise<void> {
  let ended = false;
  void cli.done.then(() => (ended = true));
  await until(async () => ended || (await journalLength(dir)) >= cells || undefined, 900_000);
  expect(ended, cli.stderr()).toBe(false);
}

describe('enokey matrix', () => {
  it('measures all probes on ext4 and f2fs as their contracts say, and reports them', async () => {
    const state = tempDir('state of a matrix');
    const env = { ENOKEY_STATE: state };
    const { code, stdout, stderr } = await enokey([...CONTROLS, '-n', '1', '--json'], env);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const result = JSON.parse(stdout) as {
      dir: string;
      verdict: { exitCode: number };
      rows: {
        test: string;
        filesystem: string;
        outcomes: Record<string, number>;
        counts: { lost: number; acknowledged: number };
      }[];
    };
    expect(result.rows).toHaveLength(2 * PROBE_TESTS.length);
    for (const row of result.rows) {
      expect(row.outcomes, `${row.filesystem} ${row.test}`).toEqual({ pass: 1 });
      expect(row.counts.lost).toBe(0);
      if (/race/.test(row.test)) expect(row.counts.acknowledged).toBeGreaterThanOrEqual(20_000);
    }
    expect(qemusOf(state)).toEqual([]);

    const mail = await enokey(['report', '--format', 'mail'], env);
    expect(mail.code).toBe(0);
    for (const line of mail.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(72);
    expect(mail.stdout).toMatch(
      /^ stock ext4 race-append {1,}pass 1\/1 +0\/\d+ lost {2}0\.\d+% \[0\.0+, \d/m,
    );
    const compared = await enokey(['report', '--compare', result.dir], env);
    // The run beside itself: there is nothing to compare, which is not called equal.
    expect(compared.stdout).toContain('failed iterations: nothing to tell');
    expect(compared.stdout).not.toContain('p = ');
  });

  it('stopped by SIGINT leaves no guest and says how to go on; --resume completes it', async () => {
    const state = tempDir('state of an interrupted matrix');
    const dir = path.join(state, 'my run');
    const tests = ['--tests', 'open-fd,parked,new-open', '-n', '2'];
    const first = startEnokey([...CONTROLS, ...tests, '--run', dir], { ENOKEY_STATE: state });
    await untilCells(first, dir, 2);

    const second = await enokey([...CONTROLS, ...tests, '--run', dir], { ENOKEY_STATE: state });
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`in use by process ${first.pid}`);

    first.kill('SIGINT');
    const stopped = await first.done;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toContain('enokey matrix --resume --run');
    expect(qemusOf(state)).toEqual([]);
    const partial = await enokey(['report', dir, '--format', 'mail'], { ENOKEY_STATE: state });
    expect(partial.stdout).toContain('PARTIAL');

    const refused = await enokey(['matrix', '--resume', '--run', dir, '-n', '3'], { ENOKEY_STATE: state });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('was planned with iterations 2, not 3');

    const resumed = await enokey(['matrix', '--resume', '--run', dir], { ENOKEY_STATE: state });
    expect(resumed.code, resumed.stderr).toBe(0);
    const { plan, results } = await new RunFolder(dir).read();
    expect(results.map(cellId).sort()).toEqual(plan.cells.map(cellId).sort());
  });

  it('killed by SIGKILL leaves nothing running, and --resume completes it with every cell once', async () => {
    const state = tempDir('state of a killed matrix');
    const dir = path.join(state, 'run');
    const first = startEnokey([...CONTROLS, '--tests', 'mmap,direct', '-n', '2', '--run', dir], {
      ENOKEY_STATE: state,
    });
    await untilCells(first, dir, 1);
    first.kill('SIGKILL');
    await first.done;
    await until(() => qemusOf(state).length === 0 || undefined, 30_000);
    const resumed = await enokey(['matrix', '--resume', '--run', dir, '--json'], { ENOKEY_STATE: state });
    expect(resumed.code, resumed.stderr).toBe(0);
    const { plan, results } = await new RunFolder(dir).read();
    expect(results.map(cellId).sort()).toEqual(plan.cells.map(cellId).sort());
    expect(
      readdirSync(path.join(dir, 'guests'), { recursive: true }).filter((name) =>
        String(name).endsWith('.img'),
      ),
    ).toEqual([]);
  });

  it.each([
    [['matrix', '-n', '0'], /iterations: 0/],
    [['matrix', '-n', '-1'], /iterations: -1/],
    [['matrix', '--variants', 'sotck'], /variant sotck/],
    [['matrix', '--fs', 'ext5'], /did you mean "ext4"/],
    [['matrix', '--tests', 'probe/opn-fd'], /did you mean "probe\/open-fd"/],
    [['matrix', '--resume', '--run', '/nonexistent'], /run \/nonexistent/],
  ])('refuses %j with one line and exit 2, and makes no run', async (args, message) => {
    const state = tempDir('state of a refused matrix');
    const { code, stderr } = await enokey(args, { ENOKEY_STATE: state });
    expect(code).toBe(2);
    expect(stderr.split('\n')[0]).toMatch(message);
    expect(readdirSync(state)).toEqual([]);
  });
});
