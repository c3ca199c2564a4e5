// SPDX-License-Identifier: GPL-2.0-only
import { open } from 'node:fs/promises';

/** Characters of a line that are kept; the kernel's own limit is 1024 (PRINTK_MESSAGE_MAX 2048). */
const MAX_LINE = 4096;
/** Bytes read in one go. */
const CHUNK = 256 * 1024;

const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])/g;

const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Takes out of guest text what would act on a terminal: escape sequences, control and direction characters. */
export function stripControls(text: string): string {
  return text.replace(ESCAPES, '').replace(CONTROLS, '');
}

/** `[   12.345678] ` or, with PRINTK_CALLER, `[   12.345678][  T123] `. */
const STAMP = /\[\s*\d+\.\d{6}\](?:\[\s*[TC]\d+\])? ?/;
const STAMP_AT_START = new RegExp(`^(?:<\\d+>)?${STAMP.source}`);

/** The text of a kernel message, and whether it carried a timestamp (text of user space does not). */
export function splitStamp(line: string): { stamped: boolean; text: string } {
  const stamp = STAMP_AT_START.exec(line);
  return stamp ? { stamped: true, text: line.slice(stamp[0].length) } : { stamped: false, text: line };
}

/**
 * Breaks a line where a kernel message starts in its middle: user space wrote there without a newline, or two
 * writers shared the port.
 */
export function untangle(line: string): string[] {
  const parts: string[] = [];
  let rest = line;
  for (;;) {
    const next = STAMP.exec(rest.slice(1));
    if (!next) return [...parts, rest];
    const at = next.index + 1;
    parts.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
}

/** Reads a console log that grows, as lines that are safe to print. */
export class ConsoleTail {
  private rest = '';
  private readonly decoder = new TextDecoder();

  /** `offset`: byte from which to read. */
  constructor(
    readonly file: string,
    public offset = 0,
  ) {}

  /** The lines that were completed since the last call. A file that is not there yet has none. */
  async read(): Promise<string[]> {
    const lines: string[] = [];
    let handle;
    try {
      handle = await open(this.file, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return lines;
      throw error;
    }
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK, this.offset);
        if (bytesRead === 0) return lines;
        this.offset += bytesRead;
        lines.push(...this.push(buffer.subarray(0, bytesRead)));
      }
    } finally {
      await handle.close();
    }
  }

  /** What stands after the last newline, as a line; nothing will follow. */
  flush(): string[] {
    const rest = stripControls(this.rest);
    this.rest = '';
    return rest ? untangle(rest) : [];
  }

  private push(bytes: Buffer): string[] {
    const raw = (this.rest + this.decoder.decode(bytes, { stream: true })).split('\n');
    this.rest = raw.pop() ?? '';
    if (this.rest.length > MAX_LINE) {
      raw.push(this.rest);
      this.rest = '';
    }
    return raw.flatMap((line) => untangle(stripControls(line.slice(0, MAX_LINE))));
  }
}
