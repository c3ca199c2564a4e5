// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, truncate, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { RunFolder } from '../../../src/run/folder.js';
import { cellId } from '../../../src/run/plan.js';
import { fakeContext, fakeMachinery } from '../../helpers/fake-machinery.js';
import { planFake, startFake } from '../../helpers/fake-run.js';

const CHILD = new URL('../../fixtures/run/matrix-child.ts', import.meta.url).pathname;

let root: string;
let folder: RunFolder;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'enokey run '));
  folder = new RunFolder(path.join(root, 'state', 'runs', 'r'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

interface Child {
  readonly ready: Promise<void>;
  readonly output: Promise<string>;
  kill(): void;
}

function startChild(probeMs: number): Child {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, root, String(probeMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  let ready: () => void;
  const readiness = new Promise<void>((resolve) => (ready = resolve));
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes('ready\n')) ready();
  });
  return {
    ready: readiness,
    output: new Promise((resolve) => child.on('close', () => resolve(text))),
    kill: () => void child.kill('SIGKILL'),
  };
}

async function journalIds(): Promise<string[]> {
  return (await folder.read()).results.map(cellId);
}

describe('a matrix that is killed', () => {
  it('completes after SIGKILLs at random moments with every cell exactly once', async () => {
    let kills = 0;
    for (let attempt = 0; attempt < 8; attempt++) {
      const child = startChild(4);
      await child.ready;
      await delay(20 + Math.random() * 250);
      child.kill();
      const output = await child.output;
      if (output.includes('complete')) break;
      kills++;
      expect(output).not.toContain('error');
    }
    expect(kills).toBeGreaterThan(0);
    const partial = (await journalIds()).length;
    const last = startChild(0);
    expect(await last.output).toContain('complete true');
    const { plan, results, complete } = await folder.read();
    expect(complete).toBe(true);
    expect(results.length).toBeGreaterThanOrEqual(partial);
    expect(results.map(cellId).sort()).toEqual(plan.cells.map(cellId).sort());
    expect(results.every((result) => result.outcome === 'pass')).toBe(true);
  });

  it('runs the cell of a torn last line again, wherever it was torn', async () => {
    const context = fakeContext(root);
    const plan = await planFake({ iterations: 1, variants: ['stock'], filesystems: ['ext4'] });
    await startFake(context, fakeMachinery(), plan);
    const whole = await readFile(folder.journalFile);
    const lastLine = whole.subarray(0, -1).lastIndexOf(0x0a) + 1;
    const size = whole.length;
    for (const keep of [lastLine + 1, Math.floor((lastLine + size) / 2), size - 1]) {
      await truncate(folder.journalFile, keep);
      const machinery = fakeMachinery();
      const { record } = await startFake(context, machinery, undefined);
      expect(machinery.calls).toHaveLength(1);
      expect(record.complete).toBe(true);
      expect((await journalIds()).sort()).toEqual(plan.cells.map(cellId).sort());
      await truncate(folder.journalFile, lastLine);
      await appendFile(folder.journalFile, whole.subarray(lastLine));
    }
  });

  it('refuses a journal that is damaged in its middle, naming the line', async () => {
    const context = fakeContext(root);
    await startFake(context, fakeMachinery(), await planFake({ iterations: 1, variants: ['stock'] }));
    const text = await readFile(folder.journalFile, 'utf8');
    const lines = text.split('\n');
    lines[2] = '{"half":';
    await rm(folder.journalFile);
    await appendFile(folder.journalFile, lines.join('\n'));
    await expect(startFake(context, fakeMachinery(), undefined)).rejects.toThrow(/journal\.jsonl:3: damaged/);
    expect(await readFile(folder.journalFile, 'utf8')).toBe(lines.join('\n'));
  });
});

describe('a run folder in use', () => {
  it('is refused, naming the process that holds it', async () => {
    const child = startChild(200);
    await child.ready;
    while (!(await stat(folder.lockFile).catch(() => undefined))) await delay(10);
    await expect(startFake(fakeContext(root), fakeMachinery(), undefined)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/in use by process \d+/) as string,
    });
    child.kill();
    await child.output;
    const machinery = fakeMachinery();
    expect(
      (
        await startFake(
          fakeContext(root),
          machinery,
          (await folder.readPlan()) ? undefined : await planFake({ iterations: 3 }),
        )
      ).record.complete,
    ).toBe(true);
  });
});
