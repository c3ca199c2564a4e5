// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { parseBuildId } from '../../../src/guest/prove.js';

function note(name: string, type: number, desc: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(name.length + 1, 0);
  head.writeUInt32LE(desc.length, 4);
  head.writeUInt32LE(type, 8);
  const pad = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  return Buffer.concat([head, pad(Buffer.from(`${name}\0`)), pad(desc)]);
}

describe('parseBuildId', () => {
  const id = Buffer.from('00112233445566778899aabbccddeeff00112233', 'hex');

  it('finds the GNU build id among other notes', () => {
    const notes = Buffer.concat([
      note('Linux', 257, Buffer.from([1])),
      note('Xen', 18, Buffer.alloc(8)),
      note('GNU', 3, id),
    ]);
    expect(parseBuildId(notes)).toBe(id.toString('hex'));
  });

  it('finds none in notes without one, cut short, or made up', () => {
    expect(parseBuildId(note('GNU', 1, id))).toBeUndefined();
    expect(parseBuildId(note('GNU', 3, id).subarray(0, 20))).toBeUndefined();
    expect(parseBuildId(Buffer.alloc(12, 0xff))).toBeUndefined();
    expect(parseBuildId(Buffer.alloc(0))).toBeUndefined();
  });
});
