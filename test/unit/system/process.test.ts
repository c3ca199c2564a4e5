// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { InfraError, InterruptedError, UserError } from '../../../src/core/errors.js';
import { run, runOrThrow } from '../../../src/system/process.js';
import { tempDir } from '../../helpers/temp.js';
import { until } from '../../helpers/until.js';

const alive = (pid: number): boolean => {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

describe('run', () => {
  it('returns output and exit code without throwing', async () => {
    const result = await run('sh', ['-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toMatchObject({ exitCode: 3, stdout: 'out\n', stderr: 'err\n', timedOut: false });
  });

  it('passes input to stdin', async () => {
    expect((await run('cat', [], { input: 'hello' })).stdout).toBe('hello');
  });

  it('gives lines as they come, also one without an end', async () => {
    const lines: string[] = [];
    await run('printf', ['one\\ntwo\\nthree'], { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two', 'three']);
  });

  it('keeps only the tail of a large output but logs all of it', async () => {
    const logFile = path.join(tempDir(), 'log');
    const result = await run('sh', ['-c', 'head -c 3000000 /dev/zero | tr "\\0" x; printf END'], {
      keepBytes: 1000,
      logFile,
    });
    expect(result.stdout).toHaveLength(1000);
    expect(result.stdout.endsWith('xEND')).toBe(true);
    expect(readFileSync(logFile)).toHaveLength(3_000_003);
  });

  // Every write to /dev/full meets a full disk: full(4).
  it('says that the disk is full when it does not take the log', async () => {
    const error: unknown = await run('sh', ['-c', 'echo out'], { logFile: '/dev/full' }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InfraError);
    expect((error as Error).message).toBe('/dev: the disk is full');
  });

  it('gives the result of a program that failed although its log could not be written, and says so', async () => {
    const result = await run('sh', ['-c', 'echo why; exit 2'], { logFile: '/dev/full' });
    expect(result).toMatchObject({ exitCode: 2, stdout: 'why\n' });
    expect(result.logError).toBeInstanceOf(InfraError);
    await expect(runOrThrow('sh', ['-c', 'echo why; exit 2'], { logFile: '/dev/full' })).rejects.toThrow(
      /exit 2: why/,
    );
    expect(await run('sh', ['-c', 'exit 2'])).not.toHaveProperty('logError');
  });

  it('says which program is missing and what mends it', async () => {
    await expect(run('enokey-no-such-program', [])).rejects.toThrow(UserError);
    await expect(run('enokey-no-such-program', [])).rejects.toThrow(/enokey-no-such-program: not found/);
  });

  it('ends the whole group on abort, grandchildren included', async () => {
    const file = path.join(tempDir(), 'pid');
    const controller = new AbortController();
    const promise = run('sh', ['-c', 'sleep 1000 & echo $! > "$0"; wait', file], {
      signal: controller.signal,
    });
    const failed = expect(promise).rejects.toThrow(InterruptedError);
    const grandchild = Number(await until(() => readFileSync(file, 'utf8').trim() || undefined));
    expect(alive(grandchild)).toBe(true);
    controller.abort();
    await failed;
    await until(() => !alive(grandchild) || undefined);
  });

  it('kills what ignores SIGTERM', async () => {
    const began = performance.now();
    const result = await run('sh', ['-c', 'trap "" TERM; sleep 1000 & wait; wait'], {
      timeoutMs: 200,
      graceMs: 200,
    });
    expect(result.timedOut).toBe(true);
    expect(result.exitCode).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('does not leave what the program put into the background', async () => {
    const file = path.join(tempDir(), 'pid');
    await run('sh', ['-c', 'sleep 1000 >/dev/null 2>&1 & echo $! > "$0"', file]);
    const pid = Number(readFileSync(file, 'utf8'));
    await until(() => !alive(pid) || undefined);
  });

  it('dies with a parent that was killed outright', async () => {
    const dir = tempDir();
    const script = path.join(dir, 'parent.mts');
    const pids = path.join(dir, 'pids');
    const module = path.resolve('src/system/process.ts');
    writeFileSync(
      script,
      `import { run } from ${JSON.stringify(module)};
       await run('sh', ['-c', 'echo $$ > "$0"; exec sleep 1000', ${JSON.stringify(pids)}]);`,
    );
    const parent = run(process.execPath, ['--import', 'tsx', script], { cwd: process.cwd() });
    const child = Number(await until(() => readFileSync(pids, 'utf8').trim() || undefined));
    const stat = readFileSync(`/proc/${child}/stat`, 'utf8');
    process.kill(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), 'SIGKILL');
    expect((await parent).signal).toBe('SIGKILL');
    await until(() => !alive(child) || undefined);
  });
});

describe('runOrThrow', () => {
  it('names the program, its exit code and the last words of stderr', async () => {
    await expect(runOrThrow('sh', ['-c', 'echo one >&2; echo two >&2; exit 7'])).rejects.toThrow(InfraError);
    await expect(runOrThrow('sh', ['-c', 'echo one >&2; echo two >&2; exit 7'])).rejects.toThrow(
      /exit 7: one \| two/,
    );
  });
});
