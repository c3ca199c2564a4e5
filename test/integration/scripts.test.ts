// SPDX-License-Identifier: GPL-2.0-only
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { run, type RunResult } from '../../src/system/process.js';
import { write } from '../helpers/fake-kernel.js';
import { REPOSITORY_ROOT } from '../helpers/repository.js';
import { tempDir } from '../helpers/temp.js';

/**
 * Runs a script of ours in a checkout of its own. Instead of npm runs `npm`, a shell script that gets its arguments;
 * npx and what installs packages are refused. `modules`: what the lock file was when they were installed.
 */
async function script(
  name: string,
  args: readonly string[],
  npm: string,
  modules = '{}',
): Promise<RunResult> {
  const dir = tempDir('scripts');
  mkdirSync(path.join(dir, 'scripts'));
  for (const file of [name, 'lib.sh', 'count-tests.js']) {
    copyFileSync(path.join(REPOSITORY_ROOT, 'scripts', file), path.join(dir, 'scripts', file));
  }
  write(dir, { 'package.json': '{ "type": "module" }', 'package-lock.json': '{}' });
  write(dir, { 'node_modules/.enokey-lock': modules, 'bin/run.js': 'console.log("measures")' });
  mkdirSync(path.join(dir, 'path'));
  const refuse = 'echo "$0 is not to be called here" >&2; exit 1';
  for (const [program, text] of Object.entries({ npm, npx: refuse, 'apt-get': refuse, sudo: refuse })) {
    const file = path.join(dir, 'path', program);
    writeFileSync(file, `#!/bin/sh\n${text}\n`);
    chmodSync(file, 0o755);
  }
  return run('bash', [path.join(dir, 'scripts', name), ...args], {
    env: { PATH: `${path.join(dir, 'path')}:${process.env['PATH']}` },
  });
}

const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);
const BUILD_FAILS = 'case "$*" in *" build") exit 1 ;; esac';

describe('scripts/test', () => {
  it('runs the gates that are named and ends with what they count', async () => {
    const result = await script('test', ['lint', 'types'], 'case "$*" in *" lint") exit 1 ;; esac');
    expect(result.exitCode).toBe(1);
    expect(lastLine(result.stdout)).toBe('1 passed, 1 failed, 0 skipped');
  });

  it('runs no gate on an older build when the build fails, and says so', async () => {
    const result = await script('test', ['lint'], BUILD_FAILS);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('enokey: the build failed');
    expect(result.stderr).not.toContain('== lint');
    expect(lastLine(result.stdout)).toBe('0 passed, 1 failed, 0 skipped');
  });

  it('ends with its last line when the modules cannot be installed', async () => {
    const result = await script('test', ['lint'], '[ "$1" != ci ]', 'older');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('enokey: npm ci failed');
    expect(result.stderr).not.toContain('== lint');
    expect(lastLine(result.stdout)).toBe('0 passed, 1 failed, 0 skipped');
  });
});

describe('scripts/demo', () => {
  it('measures nothing on an older build when the build fails, and says so', async () => {
    expect((await script('demo', [], 'exit 0')).stdout).toBe('measures\n');
    const result = await script('demo', [], BUILD_FAILS);
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain('enokey: the build failed');
  });
});
