// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { quoteCommand } from '../../../src/ssh/index.js';

/** What a real shell makes of the quoted command: one line in, the arguments out. */
function throughShell(shell: string, argv: string[]): string[] {
  const node = `process.stdout.write(JSON.stringify(process.argv.slice(1)))`;
  const out = execFileSync(shell, ['-c', quoteCommand([process.execPath, '-e', node, '--', ...argv])], {
    encoding: 'utf8',
  });
  return JSON.parse(out) as string[];
}

const HOSTILE = [
  '',
  ' ',
  "it's",
  '$(touch /x)',
  '`id`',
  'a\nb',
  '*',
  '~',
  '"',
  '\\',
  ';',
  '-n',
  '!x',
  'ä€',
  "'\\''",
  '#c',
  '&&',
];

describe('quoteCommand', () => {
  it.each(['sh', 'bash'])('gives every argument unchanged through %s', (shell) => {
    expect(throughShell(shell, HOSTILE)).toEqual(HOSTILE);
  });

  it('sets variables for the command only', () => {
    const command = quoteCommand(['sh', '-c', 'printf %s "$A"'], { A: "x 'y' $z" });
    expect(execFileSync('sh', ['-c', command], { encoding: 'utf8' })).toBe("x 'y' $z");
  });

  it('refuses what no shell can pass', () => {
    expect(() => quoteCommand(['a\0b'])).toThrow(/NUL/);
    expect(() => quoteCommand([])).toThrow(/empty/);
    expect(() => quoteCommand(['a'], { 'B;C': '1' })).toThrow(/no variable/);
  });
});
