// SPDX-License-Identifier: GPL-2.0-only
import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';

import { InfraError } from '../core/errors.js';

const BLOCK = 512;
/** A path or an extended header beyond this is no honest archive. */
const MAX_NAME = 4096;
const MAX_ENTRIES = 100_000;

/** An archive from a guest that must not be unpacked. Nothing of the offending entry was written. */
export class UnsafeArchiveError extends InfraError {
  constructor(observed: string) {
    super({ subject: 'archive from the guest', observed });
  }
}

/**
 * The entry's name as a path below the target, or an error: absolute paths, `..`, NUL and other control characters,
 * overlong names. `.` and empty components vanish; the root itself is ''.
 */
export function safeEntryPath(name: string): string {
  if (name.length > MAX_NAME) throw new UnsafeArchiveError(`a name of ${name.length} characters`);

  if (/[\x00-\x1f\x7f]/.test(name))
    throw new UnsafeArchiveError(`a control character in the name ${JSON.stringify(name)}`);
  if (name.startsWith('/')) throw new UnsafeArchiveError(`the absolute name ${JSON.stringify(name)}`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new UnsafeArchiveError(`the name ${JSON.stringify(name)} leaves the folder`);
  for (const part of parts) {
    if (Buffer.byteLength(part) > 255)
      throw new UnsafeArchiveError(`a file name of ${Buffer.byteLength(part)} bytes`);
  }
  return parts.join('/');
}

interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

function text(block: Buffer, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
}

/** Octal, or base 256 for sizes from 8 GiB (GNU tar). */
function number(block: Buffer, from: number, length: number): number {
  if ((block[from] ?? 0) & 0x80) {
    const value = block.readUIntBE(from + length - 6, 6);
    return value;
  }
  const digits = text(block, from, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw new UnsafeArchiveError('a number that is not octal');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** POSIX.1-1988 ustar header, with GNU's and POSIX.1-2001's extensions told by `type`. */
function parseHeader(block: Buffer): Header {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  if (sum !== number(block, 148, 8)) throw new UnsafeArchiveError('a header with a wrong checksum');
  const ustar = text(block, 257, 6) === 'ustar';
  const prefix = ustar && block[263] === 0x30 ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix ? `${prefix}/${name}` : name,
    size: number(block, 124, 12),
    type: String.fromCharCode(block[156] || 0x30),
  };
}

/** `path` and `size` of a pax extended header: records `LENGTH KEY=VALUE\n`. */
function parsePax(data: Buffer): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {};
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.subarray(at, space).toString('latin1'));
    if (space < 0 || !Number.isInteger(length) || length <= space - at + 1 || at + length > data.length) {
      throw new UnsafeArchiveError('a broken extended header');
    }
    const record = data.subarray(space + 1, at + length - 1).toString('utf8');
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') found.path = value;
    if (key === 'size') found.size = Number(value);
    at += length;
  }
  return found;
}

/**
 * Unpacks a tar stream from an untrusted guest below a folder of the host, chunk by chunk. Regular files and folders
 * only: a link, device, fifo or sparse member is refused, and so is what leaves the folder or exceeds the bound.
 * Files are created anew (O_EXCL, O_NOFOLLOW) with mode 0644; folders on the way are made by us, so no link from the
 * guest is ever followed. `target` should be empty.
 */
export class TarExtractor {
  private buffered: Buffer[] = [];
  private have = 0;
  private file: FileHandle | undefined;
  private left = 0;
  private padding = 0;
  private special: { type: string; data: Buffer[] } | undefined;
  private nextName: string | undefined;
  private nextSize: number | undefined;
  private total = 0;
  private entries = 0;
  private ended = false;
  /** Files written, relative to the target. */
  readonly files: string[] = [];

  constructor(
    private readonly target: string,
    private readonly limitBytes: number,
  ) {}

  /** @throws UnsafeArchiveError, or the host's own errors (ENOSPC). */
  async push(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0 && !this.ended) {
      if (this.left > 0) {
        const part = rest.subarray(0, Math.min(this.left, rest.length));
        if (this.special) this.special.data.push(Buffer.from(part));
        else await this.file?.writeFile(part);
        this.left -= part.length;
        rest = rest.subarray(part.length);
        if (this.left === 0) await this.finishEntry();
        continue;
      }
      if (this.padding > 0) {
        const skipped = Math.min(this.padding, rest.length);
        this.padding -= skipped;
        rest = rest.subarray(skipped);
        continue;
      }
      const part = rest.subarray(0, BLOCK - this.have);
      this.buffered.push(Buffer.from(part));
      this.have += part.length;
      rest = rest.subarray(part.length);
      if (this.have < BLOCK) continue;
      const block = Buffer.concat(this.buffered);
      this.buffered = [];
      this.have = 0;
      await this.header(block);
    }
  }

  /** Call once, at the stream's end. @throws UnsafeArchiveError when the archive is cut short. */
  async end(): Promise<void> {
    await this.close();
    if (!this.ended) throw new UnsafeArchiveError('the archive ends in the middle');
  }

  /** Closes what is open after an error. */
  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  private async header(block: Buffer): Promise<void> {
    if (block.every((byte) => byte === 0)) {
      this.ended = true;
      return;
    }
    const header = parseHeader(block);
    if (++this.entries > MAX_ENTRIES) throw new UnsafeArchiveError(`more than ${MAX_ENTRIES} entries`);
    if (['x', 'g', 'L'].includes(header.type)) {
      if (header.size > 64 * 1024) throw new UnsafeArchiveError('an extended header beyond 64 KiB');
      this.special = { type: header.type, data: [] };
      this.start(header.size);
      if (header.size === 0) await this.finishEntry();
      return;
    }
    const size = this.nextSize ?? header.size;
    const name = safeEntryPath(this.nextName ?? header.name);
    this.nextName = undefined;
    this.nextSize = undefined;
    if (header.type === '5') {
      await mkdir(path.join(this.target, name), { recursive: true });
      this.start(0);
      return;
    }
    if (header.type !== '0' && header.type !== '7') {
      const kinds: Record<string, string> = {
        1: 'a hard link',
        2: 'a symbolic link',
        3: 'a device',
        4: 'a device',
        6: 'a fifo',
        S: 'a sparse file',
      };
      throw new UnsafeArchiveError(
        `${kinds[header.type] ?? `an entry of type ${JSON.stringify(header.type)}`} named ${JSON.stringify(name)}`,
      );
    }
    if (name === '') throw new UnsafeArchiveError('a file without a name');
    if (!Number.isSafeInteger(size) || size < 0) throw new UnsafeArchiveError(`a size of ${size} bytes`);
    this.total += size;
    if (this.total > this.limitBytes) throw new UnsafeArchiveError(`more than ${this.limitBytes} bytes`);
    const file = path.join(this.target, name);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    try {
      await mkdir(path.dirname(file), { recursive: true });
      this.file = await open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' && code !== 'ENOTDIR' && code !== 'EISDIR') throw error;
      throw new UnsafeArchiveError(`${JSON.stringify(name)} is there already`);
    }
    this.files.push(name);
    this.start(size);
    if (size === 0) await this.finishEntry();
  }

  private start(size: number): void {
    this.left = size;
    this.padding = (BLOCK - (size % BLOCK)) % BLOCK;
  }

  private async finishEntry(): Promise<void> {
    if (!this.special) return this.close();
    const { type, data } = this.special;
    this.special = undefined;
    const bytes = Buffer.concat(data);
    if (type === 'L') this.nextName = text(bytes, 0, bytes.length);
    if (type === 'x') {
      const pax = parsePax(bytes);
      this.nextName = pax.path ?? this.nextName;
      this.nextSize = pax.size ?? this.nextSize;
    }
  }
}
