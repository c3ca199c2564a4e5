// SPDX-License-Identifier: GPL-2.0-only
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';

import { UserError } from '../core/errors.js';

const BLOCK = 512;

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

function block(name: string, type: string, size: number, mode: number, mtime: number, link: string): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 100, 'utf8');
  header.write(octal(mode & 0o7777, 8), 100, 'latin1');
  header.write(octal(0, 8), 108, 'latin1');
  header.write(octal(0, 8), 116, 'latin1');
  header.write(octal(size, 12), 124, 'latin1');
  header.write(octal(Math.max(0, Math.floor(mtime)), 12), 136, 'latin1');
  header.write(' '.repeat(8), 148, 'latin1');
  header.write(type, 156, 'latin1');
  header.write(link, 157, 100, 'utf8');
  header.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** GNU's long-name member, for what ustar's 100 bytes do not hold. */
function longName(name: string, type: 'L' | 'K'): Buffer[] {
  const bytes = Buffer.from(`${name}\0`);
  return [block('././@LongLink', type, bytes.length, 0o644, 0, ''), bytes, padding(bytes.length)];
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

async function* entry(file: string, name: string): AsyncGenerator<Buffer> {
  const info = await lstat(file);
  const mtime = info.mtimeMs / 1000;
  if (Buffer.byteLength(name) > 100) yield* longName(name, 'L');
  if (info.isSymbolicLink()) {
    const link = await readlink(file);
    if (Buffer.byteLength(link) > 100) yield* longName(link, 'K');
    yield block(name, '2', 0, 0o777, mtime, link);
  } else if (info.isDirectory()) {
    yield block(name, '5', 0, info.mode, mtime, '');
    for (const child of (await readdir(file)).sort())
      yield* entry(path.join(file, child), `${name}/${child}`);
  } else if (info.isFile()) {
    yield block(name, '0', info.size, info.mode, mtime, '');
    let left = info.size;
    // A file that grows meanwhile must not push the next header off its place.
    if (left > 0) {
      for await (const chunk of createReadStream(file, { end: info.size - 1 })) {
        left -= (chunk as Buffer).length;
        yield chunk as Buffer;
      }
    }
    if (left > 0) throw new UserError({ subject: file, observed: 'became shorter while it was copied' });
    yield padding(info.size);
  } else {
    throw new UserError({ subject: file, observed: 'neither a file, a folder nor a symbolic link' });
  }
}

/** A file or a folder (under its own name) as a tar stream. Owners become root. @throws UserError for sockets, devices. */
export async function* packTar(from: string): AsyncGenerator<Buffer> {
  yield* entry(from, path.basename(from));
  yield Buffer.alloc(2 * BLOCK);
}
