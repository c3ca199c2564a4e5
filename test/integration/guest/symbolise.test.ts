// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { symbolise } from '../../../src/guest/symbolise.js';
import { tempDir } from '../../helpers/temp.js';

/** A program laid out as a kernel is: start_kernel() in init/main.c, another function in fs/. */
function program(...flags: string[]): { file: string; size: number } {
  const dir = tempDir('vmlinux');
  mkdirSync(path.join(dir, 'init'));
  mkdirSync(path.join(dir, 'fs'));
  writeFileSync(
    path.join(dir, 'init/main.c'),
    'int crash(int);\nint start_kernel(int x)\n{\n\treturn crash(x) + 1;\n}\nint main(int c, char **v) { return start_kernel(c); }\n',
  );
  writeFileSync(
    path.join(dir, 'fs/crash.c'),
    'volatile int sink;\nint crash(int x)\n{\n\tsink = x;\n\tsink = x * 2;\n\treturn sink;\n}\n',
  );
  const file = path.join(dir, 'vmlinux');
  execFileSync('gcc', [
    '-O0',
    '-no-pie',
    ...flags,
    '-o',
    file,
    path.join(dir, 'init/main.c'),
    path.join(dir, 'fs/crash.c'),
  ]);
  const line = execFileSync('nm', ['-S', file], { encoding: 'utf8' })
    .split('\n')
    .find((symbol) => symbol.endsWith(' T crash'));
  return { file, size: Number.parseInt(line?.split(' ')[1] ?? '0', 16) };
}

describe('symbolise', () => {
  it('names file and line relative to the kernel, and leaves unknown symbols and modules alone', async () => {
    const { file, size } = program('-g');
    const reference = `crash+0x4/0x${size.toString(16)}`;
    const [text] = await symbolise(
      [
        `[    1.000000] RIP: 0010:${reference}\n[    1.000000]  ${reference}\n ? nobody+0x1/0x2\n crash+0x4/0x${size.toString(16)} [mod]`,
      ],
      file,
    );
    const lines = text?.split('\n') ?? [];
    expect(lines[0]).toMatch(/RIP: 0010:crash\+0x4\/0x[0-9a-f]+ \(fs\/crash\.c:[234]\)$/);
    expect(lines[1]).toMatch(/ \(fs\/crash\.c:[234]\)$/);
    expect(lines[2]).toBe(' ? nobody+0x1/0x2');
    expect(lines[3]).toMatch(/\[mod\]$/);
    expect(lines[3]).not.toMatch(/crash\.c/);
  });

  it('gives the text back when there is no debug information or no such file', async () => {
    const { file, size } = program();
    const text = `crash+0x4/0x${size.toString(16)}`;
    expect(await symbolise([text], file)).toEqual([text]);
    expect(await symbolise([text], '/nonexistent')).toEqual([text]);
  });
});
