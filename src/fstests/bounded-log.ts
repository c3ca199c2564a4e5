// SPDX-License-Identifier: GPL-2.0-only
import { cleanLine } from '../core/clean-text.js';

/** The beginning and the end of a long output, in bounded memory. */
export class BoundedLog {
  private head = '';
  private tail: string[] = [];
  private tailLength = 0;
  private dropped = 0;

  constructor(
    private readonly headLimit = 512 * 1024,
    private readonly tailLimit = 512 * 1024,
  ) {}

  push(line: string): void {
    const text = `${cleanLine(line)}\n`;
    if (this.dropped === 0 && this.tail.length === 0 && this.head.length + text.length <= this.headLimit) {
      this.head += text;
      return;
    }
    this.tail.push(text);
    this.tailLength += text.length;
    // Shifting one by one would be quadratic in a flood.
    if (this.tailLength > 2 * this.tailLimit) this.trim();
  }

  private trim(): void {
    let drop = 0;
    while (this.tailLength > this.tailLimit && drop < this.tail.length - 1) {
      this.tailLength -= this.tail[drop]?.length ?? 0;
      drop++;
    }
    this.tail.splice(0, drop);
    this.dropped += drop;
  }

  toString(): string {
    this.trim();
    const gap = this.dropped > 0 ? `[enokey: ${this.dropped} lines left out]\n` : '';
    return this.head + gap + this.tail.join('');
  }
}
