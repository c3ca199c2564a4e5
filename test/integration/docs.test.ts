// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { run, type RunResult } from '../../src/system/process.js';
import { tempDir } from '../helpers/temp.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const DOCS = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'];

function enokey(args: readonly string[], options: { cwd?: string; home?: string } = {}): Promise<RunResult> {
  return run(process.execPath, [path.join(ROOT, 'bin/run.js'), ...args], {
    cwd: options.cwd ?? ROOT,
    env: options.home ? { ENOKEY_CACHE: options.home, ENOKEY_STATE: options.home } : undefined,
  });
}

const helps = new Map<string, Promise<RunResult>>();

/** Several places of the documents name the same command: its help is asked for once. */
function helpOf(command: string): Promise<RunResult> {
  const help = helps.get(command) ?? enokey([command, '--help']);
  helps.set(command, help);
  return help;
}

/** Every `enokey ...` in inline code or in a shell block, without its comment. */
function commandsIn(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const inline = [...text.matchAll(/`((?:enokey|\.\/scripts\/|node bin\/)[^`\n]*)`/g)].map(
    (match) => match[1]!,
  );
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap((match) => match[1]!.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter(Boolean);
  return [...new Set([...inline, ...blocks])];
}

const all = DOCS.flatMap((file) => commandsIn(file).map((command) => ({ file, command })));
const ours = all.filter(({ command }) => /^enokey [a-z]/.test(command));

describe('the documents', () => {
  it('name commands', () => {
    expect(ours.length).toBeGreaterThan(10);
  });

  it.each(ours)('$file: `$command` is a command, and its flags exist', async ({ command }) => {
    const words = command.split(/\s+/).slice(1);
    const help = await helpOf(words[0]!);
    expect(help.exitCode).toBe(0);
    for (const flag of words.filter((word) => word.startsWith('--'))) {
      expect(help.stdout).toContain(flag.split('=')[0]);
    }
  });

  it.each(all.filter(({ command }) => command.startsWith('./scripts/')))(
    '$file: `$command` can be run',
    async ({ command }) => {
      const [script] = command.split(' ');
      expect((await run('bash', ['-n', script!], { cwd: ROOT })).exitCode).toBe(0);
      expect((await run('test', ['-x', script!], { cwd: ROOT })).exitCode).toBe(0);
    },
  );

  it('name no other kind of command', () => {
    const others = all.filter(
      ({ command }) => !/^(enokey [a-z]|enokey\.yaml|enokey\/|\.\/scripts\/|node bin\/)/.test(command),
    );
    expect(others).toEqual([]);
  });

  it('README: the commands that change nothing run as they are written', async () => {
    const home = tempDir('docs');
    for (const args of [['--version'], ['ps'], ['stop', '--all'], ['clean', '--dry-run']]) {
      const result = await enokey(args, { home });
      expect(`${args.join(' ')}: ${result.exitCode} ${result.stderr}`).toBe(`${args.join(' ')}: 0 `);
    }
    expect((await enokey(['report'], { home })).exitCode).toBe(2);
  });

  it('README: the enokey.yaml shown there is a valid one', async () => {
    const dir = tempDir('docs');
    const yaml = /```yaml\n([\s\S]*?)```/.exec(readFileSync(path.join(ROOT, 'README.md'), 'utf8'))![1]!;
    const work = path.join(dir, 'work');
    mkdirSync(work);
    mkdirSync(path.join(dir, 'my-patches'));
    writeFileSync(path.join(work, 'enokey.yaml'), yaml);
    const empty = await enokey(['matrix', '--variants', 'mine', '--dry-run'], { cwd: work, home: dir });
    expect(empty.exitCode).toBe(2);
    expect(empty.stderr).toMatch(/my-patches.*no patches|no patches.*my-patches/);
    writeFileSync(path.join(dir, 'my-patches', '0001-x.patch'), 'From 0\nSubject: [PATCH] x\n\n---\n');
    const planned = await enokey(['matrix', '--variants', 'stock,mine', '--dry-run'], {
      cwd: work,
      home: dir,
    });
    expect(planned.stderr).toBe('');
    expect(planned.exitCode).toBe(0);
    expect(planned.stdout).toMatch(/^mine +ext4 /m);
    expect(planned.stdout).toMatch(/^stock +f2fs /m);
    expect(planned.stdout).not.toMatch(/^mine +f2fs /m);
    expect(planned.stdout).toMatch(/^left out: all tests on f2fs of mine: \d+ cells \(not touched\)$/m);
  });
});
