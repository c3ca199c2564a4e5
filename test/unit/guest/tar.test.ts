// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { safeEntryPath, TarExtractor } from '../../../src/guest/tar-read.js';
import { packTar } from '../../../src/guest/tar-write.js';
import { tempDir } from '../../helpers/temp.js';

async function extract(tar: Buffer, target: string, limit = 1e9, chunk = 1000): Promise<readonly string[]> {
  const extractor = new TarExtractor(target, limit);
  try {
    for (let at = 0; at < tar.length; at += chunk) await extractor.push(tar.subarray(at, at + chunk));
    await extractor.end();
  } finally {
    await extractor.close();
  }
  return extractor.files;
}

const gnuTar = (dir: string, ...args: string[]): Buffer =>
  execFileSync('tar', ['-c', '-f', '-', '-C', dir, ...args], { maxBuffer: 1e8 });

/** One ustar entry with any name and type: what a hostile guest can send and tar(1) would not make. */
function entry(name: string, type = '0', data = '', link = ''): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write(link, 157);
  header.write('ustar\x0000', 257);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(data.length / 512) * 512);
  body.write(data);
  return Buffer.concat([header, body]);
}
const archive = (...entries: Buffer[]): Buffer => Buffer.concat([...entries, Buffer.alloc(1024)]);

describe('TarExtractor', () => {
  it.each(['gnu', 'pax', 'ustar'])(
    'unpacks what GNU tar makes in format %s, however it is cut into chunks',
    async (format) => {
      const [from, to] = [tempDir('from'), tempDir('to')];
      const deep = `${'long-'.repeat(12)}dir/${'x'.repeat(60)}`;
      mkdirSync(path.join(from, path.dirname(deep)), { recursive: true });
      writeFileSync(path.join(from, deep), 'deep');
      writeFileSync(path.join(from, 'empty'), '');
      writeFileSync(path.join(from, 'big'), Buffer.alloc(5_123, 7));
      for (const chunk of [7, 511, 512, 513, 65536]) {
        const target = path.join(to, String(chunk));
        mkdirSync(target);
        await extract(gnuTar(from, `--format=${format}`, '.'), target, 1e9, chunk);
        expect(readFileSync(path.join(target, deep), 'utf8')).toBe('deep');
        expect(readFileSync(path.join(target, 'empty')).length).toBe(0);
        expect(readFileSync(path.join(target, 'big')).equals(Buffer.alloc(5_123, 7))).toBe(true);
      }
    },
  );

  it.each([
    ['a parent folder', archive(entry('../evil', '0', 'x'))],
    ['a parent folder inside', archive(entry('a/../../evil', '0', 'x'))],
    ['an absolute name', archive(entry('/etc/evil', '0', 'x'))],
    ['a symbolic link', archive(entry('l', '2', '', '/etc'))],
    ['a link and a file through it', archive(entry('l', '2', '', '..'), entry('l/evil', '0', 'x'))],
    ['a hard link', archive(entry('h', '1', '', '/etc/passwd'))],
    ['a character device', archive(entry('d', '3'))],
    ['a block device', archive(entry('d', '4'))],
    ['a fifo', archive(entry('f', '6'))],
    ['a sparse file', archive(entry('s', 'S'))],
    ['a control character', archive(entry('a\x1b[2Jb', '0', 'x'))],
    ['the same file twice', archive(entry('a', '0', 'x'), entry('a', '0', 'y'))],
    ['a file where a folder was', archive(entry('a', '0', 'x'), entry('a/b', '0', 'y'))],
    [
      'a long name that leaves the folder',
      archive(entry('././@LongLink', 'L', `${'../'.repeat(50)}evil\0`), entry('x', '0', 'x')),
    ],
    [
      'a pax name that leaves the folder',
      archive(entry('p', 'x', '18 path=../../evil\n'), entry('x', '0', 'x')),
    ],
  ])('refuses %s and writes nothing outside', async (_what, tar) => {
    const outer = tempDir('outer');
    const target = path.join(outer, 'in');
    mkdirSync(target);
    await expect(extract(tar, target)).rejects.toThrow(/archive from the guest/);
    expect(readdirSync(outer)).toEqual(['in']);
  });

  it('stops at the bound on bytes before it writes them', async () => {
    const target = tempDir('to');
    await expect(
      extract(archive(entry('a', '0', 'x'.repeat(600)), entry('b', '0', 'x'.repeat(600))), target, 1000),
    ).rejects.toThrow(/1000 bytes/);
    expect(readdirSync(target)).toEqual(['a']);
  });

  it('notices an archive that is cut short or damaged', async () => {
    const whole = archive(entry('a', '0', 'x'.repeat(2000)));
    await expect(extract(whole.subarray(0, 1500), tempDir('to'))).rejects.toThrow(/in the middle/);
    const damaged = Buffer.from(whole);
    damaged[3] = 0x41;
    await expect(extract(damaged, tempDir('to'))).rejects.toThrow(/checksum/);
  });

  it('keeps harmless names as they are', () => {
    expect(safeEntryPath('./a/./b c/..d')).toBe('a/b c/..d');
    expect(safeEntryPath('./')).toBe('');
  });
});

describe('packTar', () => {
  it('makes what GNU tar unpacks: files, folders, links, modes, long names', async () => {
    const [from, to] = [tempDir('from'), tempDir('to')];
    const tree = path.join(from, 'tree');
    const long = 'n'.repeat(150);
    mkdirSync(path.join(tree, 'sub'), { recursive: true });
    writeFileSync(path.join(tree, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(path.join(tree, 'sub', long), 'text');
    symlinkSync('../run.sh', path.join(tree, 'sub', 'link'));
    const chunks: Buffer[] = [];
    for await (const chunk of packTar(tree)) chunks.push(chunk);
    execFileSync('tar', ['-x', '-f', '-', '-C', to], { input: Buffer.concat(chunks) });
    expect(execFileSync('diff', ['-r', tree, path.join(to, 'tree')], { encoding: 'utf8' })).toBe('');
    expect(
      execFileSync('stat', ['-c', '%a', path.join(to, 'tree/run.sh')], { encoding: 'utf8' }).trim(),
    ).toBe('755');
    expect(execFileSync('readlink', [path.join(to, 'tree/sub/link')], { encoding: 'utf8' }).trim()).toBe(
      '../run.sh',
    );
  });
});
