// SPDX-License-Identifier: GPL-2.0-only
import { createCipheriv } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { quoteWord } from '../../../src/ssh/index.js';

/** Where the guest finds what the host wrote for it. */
export const SOURCES = '/root/in';
const MARKER_EVERY = 64 * 1024;

/** Bytes that look random and are the same for the same seed, with a marker at the start and every 64 KiB. */
export function markedBytes(length: number, seed: number, marker: Buffer): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32LE(seed);
  const bytes = createCipheriv('aes-128-ctr', Buffer.alloc(16), iv).update(Buffer.alloc(length));
  for (let at = 0; at + marker.length <= length; at += MARKER_EVERY) marker.copy(bytes, at);
  return bytes;
}

/**
 * Files as they must be, and the shell commands that make a guest's kernel write them so. The host keeps what each
 * file has to contain; nothing of that is read back from the guest.
 */
export class PlannedFiles {
  private readonly contents = new Map<string, Buffer>();
  private lines: string[] = [];
  private sources = 0;

  /** @param dir folder on the host for what is to be copied to SOURCES before a script runs */
  constructor(private readonly dir: string) {}

  /** The commands since the last call, to be run in the folder of the files. */
  script(): string {
    const script = ['set -e', ...this.lines].join('\n');
    this.lines = [];
    return script;
  }

  names(): string[] {
    return [...this.contents.keys()];
  }

  content(name: string): Buffer {
    const content = this.contents.get(name);
    if (!content) throw new Error(`no file ${name} is planned`);
    return content;
  }

  /** @param how `direct`: O_DIRECT, all in one pwrite; `sync`: O_SYNC, 4 KiB each; otherwise buffered */
  write(name: string, offset: number, bytes: Buffer, how: 'buffered' | 'direct' | 'sync' = 'buffered'): void {
    const source = `${++this.sources}.bin`;
    writeFileSync(path.join(this.dir, source), bytes);
    const flags = { buffered: '', direct: '-d ', sync: '-s ' }[how];
    const block = how === 'sync' ? 4096 : Math.max(4096, bytes.length);
    this.xfsIo(name, `pwrite -q -b ${block} -i ${SOURCES}/${source} ${offset} ${bytes.length}`, flags);
    const content = this.resized(name, Math.max(this.length(name), offset + bytes.length));
    bytes.copy(content, offset);
  }

  /** O_DIRECT, 4 MiB in each pwritev, from pages that are not neighbours in memory: many segments, many iovecs. */
  writeScattered(name: string, offset: number, bytes: Buffer): void {
    const source = `${++this.sources}.bin`;
    writeFileSync(path.join(this.dir, source), bytes);
    const script = [
      'import mmap, os',
      `data = open('${SOURCES}/${source}', 'rb').read()`,
      'memory = mmap.mmap(-1, 2 * len(data))',
      'view = memoryview(memory)',
      'pages = range(0, len(data), 4096)',
      // Every other page is used; the ones between are touched first, so that they lie between.
      'for at in pages: view[2 * at + 4096] = 1; view[2 * at:2 * at + 4096] = data[at:at + 4096]',
      `fd = os.open('${name}', os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o644)`,
      'step = 1024 * 4096',
      'for start in range(0, len(data), step):',
      '    part = [view[2 * at:2 * at + 4096] for at in pages if start <= at < start + step]',
      `    assert os.pwritev(fd, part, ${offset} + start) == 4096 * len(part)`,
    ].join('\n');
    this.lines.push(`python3 -c ${quoteWord(script)}`);
    const content = this.resized(name, Math.max(this.length(name), offset + bytes.length));
    bytes.copy(content, offset);
  }

  /** Zeroes a range without changing the size: `fpunch` makes a hole, `fzero` preallocates. */
  clear(name: string, how: 'fpunch' | 'fzero', offset: number, length: number): void {
    this.xfsIo(name, `${how} ${offset} ${length}`);
    this.content(name).fill(0, offset, offset + length);
  }

  preallocate(name: string, offset: number, length: number): void {
    this.xfsIo(name, `falloc ${offset} ${length}`);
    this.resized(name, Math.max(this.length(name), offset + length));
  }

  truncate(name: string, length: number): void {
    this.xfsIo(name, `truncate ${length}`);
    this.resized(name, length);
  }

  clone(from: string, fromOffset: number, to: string, toOffset: number, length: number): void {
    this.xfsIo(to, `reflink ${from} ${fromOffset} ${toOffset} ${length}`);
    const part = Buffer.from(this.content(from).subarray(fromOffset, fromOffset + length));
    part.copy(this.resized(to, Math.max(this.length(to), toOffset + length)), toOffset);
  }

  rename(from: string, to: string): void {
    this.lines.push(`mv ${quoteWord(from)} ${quoteWord(to)}`);
    this.contents.set(to, this.content(from));
    this.contents.delete(from);
  }

  unlink(name: string): void {
    this.lines.push(`rm ${quoteWord(name)}`);
    this.contents.delete(name);
  }

  run(line: string): void {
    this.lines.push(line);
  }

  private xfsIo(name: string, command: string, flags = ''): void {
    this.lines.push(`xfs_io -f ${flags}-c ${quoteWord(command)} ${quoteWord(name)}`);
  }

  private length(name: string): number {
    return this.contents.get(name)?.length ?? 0;
  }

  private resized(name: string, length: number): Buffer {
    const content = Buffer.alloc(length);
    this.contents.get(name)?.copy(content, 0, 0, length);
    this.contents.set(name, content);
    return content;
  }
}
