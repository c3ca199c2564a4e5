// SPDX-License-Identifier: GPL-2.0-only

/** One member of a tar archive (POSIX.1-2001 pax, and GNU's long names). */
export interface TarMember {
  readonly path: string;
  readonly type: 'file' | 'symlink' | 'hardlink' | 'directory' | 'other';
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of the body. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Target of a link; empty otherwise. */
  readonly link: string;
}

const BLOCK = 512;
/** Names and pax records are read into memory; a body of a hostile size is not. */
const MAX_EXTENSION = 1024 * 1024;

export class TarError extends Error {}

/**
 * Reads a tar archive as it comes. After `next` the member's body can be taken with `body` or `bytes`; what is left
 * of it is skipped by the next `next`.
 */
export class TarReader {
  private readonly source: AsyncIterator<Uint8Array, unknown>;
  private buffer: Buffer = Buffer.alloc(0);
  private left = 0;
  private padding = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** The next member, or undefined at the archive's end. @throws TarError when it is cut short or no tar archive. */
  async next(): Promise<TarMember | undefined> {
    await this.skip();
    let longPath: string | undefined;
    let longLink: string | undefined;
    let pax: Record<string, string> = {};
    for (;;) {
      const header = await this.take(BLOCK);
      if (header.every((byte) => byte === 0)) return undefined;
      verifyChecksum(header);
      const type = String.fromCharCode(header[156] ?? 0);
      const size = pax['size'] === undefined ? number(header, 124, 12) : Number(pax['size']);
      this.left = size;
      this.padding = (BLOCK - (size % BLOCK)) % BLOCK;
      if ('LKxg'.includes(type)) {
        if (size > MAX_EXTENSION) throw new TarError(`a name of ${size} bytes`);
        const body = await this.bytes();
        await this.skip();
        if (type === 'L') longPath = cString(body, 0, body.length);
        if (type === 'K') longLink = cString(body, 0, body.length);
        if (type === 'x') pax = paxRecords(body);
        continue;
      }
      const ustar = cString(header, 257, 5) === 'ustar' && header[262] === 0;
      const prefix = ustar ? cString(header, 345, 155) : '';
      const name = cString(header, 0, 100);
      return {
        path: pax['path'] ?? longPath ?? (prefix ? `${prefix}/${name}` : name),
        type: TYPES[type] ?? 'other',
        mode: number(header, 100, 8) & 0o7777,
        size,
        mtime: Math.floor(pax['mtime'] === undefined ? number(header, 136, 12) : Number(pax['mtime'])),
        link: pax['linkpath'] ?? longLink ?? cString(header, 157, 100),
      };
    }
  }

  /**
   * Reads the source to its end and forgets what comes. A program that decompresses tells only there whether what it
   * gave was right: its checks may follow the archive's last member. @throws what the source throws.
   */
  async drain(): Promise<void> {
    this.buffer = Buffer.alloc(0);
    this.left = 0;
    this.padding = 0;
    while (!(await this.source.next()).done);
  }

  /** The body of the member as chunks. */
  async *body(): AsyncGenerator<Buffer> {
    while (this.left > 0) {
      if (this.buffer.length === 0) await this.fill();
      const chunk = this.buffer.subarray(0, this.left);
      this.buffer = this.buffer.subarray(chunk.length);
      this.left -= chunk.length;
      yield chunk;
    }
  }

  /** The whole body. */
  async bytes(): Promise<Buffer> {
    const all = await this.take(this.left);
    this.left = 0;
    return all;
  }

  private async skip(): Promise<void> {
    for (let rest = this.left + this.padding; rest > 0;) {
      if (this.buffer.length === 0) await this.fill();
      const step = Math.min(rest, this.buffer.length);
      this.buffer = this.buffer.subarray(step);
      rest -= step;
    }
    this.left = 0;
    this.padding = 0;
  }

  private async fill(): Promise<void> {
    const result = await this.source.next();
    if (result.done) throw new TarError('the archive ends in the middle');
    const { value } = result;
    this.buffer = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }

  private async take(size: number): Promise<Buffer> {
    if (this.buffer.length >= size) {
      const taken = this.buffer.subarray(0, size);
      this.buffer = this.buffer.subarray(size);
      return taken;
    }
    const parts: Buffer[] = [];
    for (let rest = size; rest > 0;) {
      if (this.buffer.length === 0) await this.fill();
      const part = this.buffer.subarray(0, rest);
      this.buffer = this.buffer.subarray(part.length);
      parts.push(part);
      rest -= part.length;
    }
    return Buffer.concat(parts);
  }
}

const TYPES: Readonly<Record<string, TarMember['type']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};

function cString(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString('utf8');
}

/** Octal digits, or GNU's base 256 when the top bit is set. */
function number(block: Buffer, at: number, length: number): number {
  if ((block[at] ?? 0) & 0x80) {
    let value = (block[at] ?? 0) & 0x7f;
    for (let index = at + 1; index < at + length; index++) value = value * 256 + (block[index] ?? 0);
    return value;
  }
  const digits = cString(block, at, length).trim();
  if (!/^[0-7]*$/.test(digits))
    throw new TarError('not a tar archive (a header has a field that is no number)');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function verifyChecksum(header: Buffer): void {
  const wanted = number(header, 148, 8);
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) sum += header[index] ?? 0;
  if (sum !== wanted) throw new TarError('not a tar archive (a header has the wrong checksum)');
}

/** `LENGTH KEY=VALUE\n`, LENGTH in bytes and including itself. */
function paxRecords(body: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const length = Number(body.subarray(at, space).toString('latin1'));
    if (space === -1 || !Number.isSafeInteger(length) || length < 5 || at + length > body.length) {
      throw new TarError('a damaged pax header');
    }
    const record = body.subarray(space + 1, at + length - 1).toString('utf8');
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}
