// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { TarError, TarReader, type TarMember } from '../../../src/tree/tar.js';
import { write } from '../../helpers/fake-kernel.js';
import { tempDir } from '../../helpers/temp.js';

/** In pieces of `size` bytes, so that every boundary falls somewhere in a header or body. */
async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

function archive(format: string): Buffer {
  const dir = tempDir('tar');
  const long = `top/${'d'.repeat(90)}/${'e'.repeat(120)}`;
  write(dir, { 'top/a': 'hello', 'top/empty': '', 'top/ünï': 'x'.repeat(1025), [long]: 'long' });
  symlinkSync('../a', `${dir}/top/link`);
  return execFileSync('tar', ['--sort=name', `--format=${format}`, '--mtime=@1700000000', '-c', 'top'], {
    cwd: dir,
  });
}

async function readAll(data: Buffer, size: number): Promise<[TarMember, string][]> {
  const tar = new TarReader(pieces(data, size));
  const all: [TarMember, string][] = [];
  for (;;) {
    const member = await tar.next();
    if (!member) return all;
    let body = '';
    if (member.type === 'file') for await (const chunk of tar.body()) body += chunk.toString('latin1');
    all.push([member, body]);
  }
}

describe('a tar archive', () => {
  it.each(['gnu', 'pax', 'posix'])(
    'in the %s format is read whole, wherever the pieces end',
    async (format) => {
      const data = archive(format);
      for (const size of [1, 511, 512, 4096, data.length]) {
        const members = await readAll(data, size);
        const files = Object.fromEntries(
          members.filter(([{ type }]) => type === 'file').map(([{ path }, body]) => [path, body]),
        );
        expect(files).toEqual({
          'top/a': 'hello',
          'top/empty': '',
          'top/ünï': 'x'.repeat(1025),
          [`top/${'d'.repeat(90)}/${'e'.repeat(120)}`]: 'long',
        });
        expect(members.find(([{ type }]) => type === 'symlink')?.[0]).toMatchObject({
          path: 'top/link',
          link: '../a',
        });
        expect(members[0]?.[0]).toMatchObject({ type: 'directory', mtime: 1700000000 });
      }
    },
  );

  it('skips bodies that nobody reads', async () => {
    const tar = new TarReader(pieces(archive('gnu'), 700));
    let count = 0;
    while (await tar.next()) count++;
    expect(count).toBe(7);
  });

  it('that is whole still fails when its source does so after the last member', async () => {
    const source = async function* (): AsyncGenerator<Buffer> {
      yield* pieces(archive('gnu'), 700);
      throw new Error('wrong checksum');
    };
    const tar = new TarReader(source());
    while (await tar.next());
    await expect(tar.drain()).rejects.toThrow('wrong checksum');
    const whole = new TarReader(pieces(archive('gnu'), 700));
    await whole.next();
    await expect(whole.drain()).resolves.toBeUndefined();
  });

  it('that is cut short, or none, is an error', async () => {
    const data = archive('gnu');
    for (const cut of [100, 512, 1200, 2048])
      await expect(readAll(data.subarray(0, cut), 333)).rejects.toThrow(TarError);
    await expect(readAll(Buffer.alloc(1024, 'x'), 512)).rejects.toThrow(/not a tar archive/);
  });
});
