// SPDX-License-Identifier: GPL-2.0-only
import { createCipheriv, hkdfSync } from 'node:crypto';

import { crc32c } from '../e2e/support/disk/crc32c.js';
import { Volume } from '../e2e/support/disk/volume.js';

/** The smallest btrfs that a reader can be tested with: a leaf for each tree, one chunk, addresses shifted by SHIFT. */
const SIZE = 512 * 1024;
const NODE = 16384;
const SECTOR = 4096;
const SUPER = 65536;
/** Logical minus physical address; the second copy of metadata is COPY behind the first. */
export const SHIFT = 1024 * 1024;
const COPY = 192 * 1024;
const GENERATION = 7;
const FSID = Buffer.alloc(16, 0xf5);
const AT = { chunk: 80 * 1024, root: 96 * 1024, files: 112 * 1024, csums: 128 * 1024, data: 400 * 1024 };

export const MASTER_KEY = Buffer.alloc(64, 0x4b);
const IDENTIFIER = derive(1, Buffer.alloc(0), 16);

function derive(what: number, info: Buffer, length: number): Buffer {
  const label = Buffer.concat([Buffer.from('fscrypt\0'), Buffer.from([what]), info]);
  return Buffer.from(hkdfSync('sha512', MASTER_KEY, Buffer.alloc(0), label, length));
}

export type FixtureItem = readonly [objectid: number, type: number, offset: number, data: Buffer];

function key(objectid: number, type: number, offset: number): Buffer {
  const bytes = Buffer.alloc(17);
  bytes.writeBigInt64LE(BigInt(objectid), 0);
  bytes.writeUInt8(type, 8);
  bytes.writeBigUInt64LE(BigInt(offset), 9);
  return bytes;
}

function fields(
  size: number,
  ...values: readonly (readonly [at: number, width: number, value: number])[]
): Buffer {
  const bytes = Buffer.alloc(size);
  for (const [at, width, value] of values)
    if (width === 8) bytes.writeBigUInt64LE(BigInt(value), at);
    else bytes.writeUIntLE(value, at, width);
  return bytes;
}

function leaf(physical: number, items: readonly FixtureItem[]): Buffer {
  const block = Buffer.alloc(NODE);
  FSID.copy(block, 32);
  block.writeBigUInt64LE(BigInt(physical + SHIFT), 48);
  block.writeBigUInt64LE(BigInt(GENERATION), 80);
  block.writeUInt32LE(items.length, 96);
  let end = NODE - 101;
  items.forEach(([objectid, type, offset, data], index) => {
    end -= data.length;
    key(objectid, type, offset).copy(block, 101 + index * 25);
    block.writeUInt32LE(end, 101 + index * 25 + 17);
    block.writeUInt32LE(data.length, 101 + index * 25 + 21);
    data.copy(block, 101 + end);
  });
  block.writeUInt32LE(crc32c(block.subarray(32)), 0);
  return block;
}

const chunk = (type: number, stripes: readonly number[]): Buffer =>
  Buffer.concat([
    fields(48, [0, 8, SIZE], [24, 8, type], [44, 2, stripes.length]),
    ...stripes.map((offset) => fields(32, [0, 8, 1], [8, 8, offset])),
  ]);
const root = (physical: number): Buffer =>
  fields(239, [160, 8, GENERATION], [176, 8, physical + SHIFT], [216, 4, 1]);

export const inodeItem = (size: number, flags: number, mode = 0o100644): Buffer =>
  fields(160, [16, 8, size], [52, 4, mode], [64, 8, flags]);
export const inodeContext = (nonce: Buffer): Buffer =>
  Buffer.concat([Buffer.from([2, 1, 4, 3, 0, 0, 0, 0]), IDENTIFIER, nonce]);
export const extentContext = (nonce: Buffer, identifier = IDENTIFIER): Buffer =>
  Buffer.concat([Buffer.from([1, 1]), identifier, nonce]);

/** A regular extent; `at` is its number of sectors from the start of the data. */
export function fileExtent(
  at: number,
  sectors: number,
  { encryption = 1, offset = 0, bytes = sectors * SECTOR, type = 1 } = {},
): Buffer {
  const length = sectors * SECTOR;
  const start = AT.data + SHIFT + at * SECTOR;
  return fields(
    53,
    ...([
      [8, 8, length],
      [17, 1, encryption],
      [20, 1, type],
      [21, 8, start],
    ] as const),
    ...([
      [29, 8, length],
      [37, 8, offset],
      [45, 8, bytes],
    ] as const),
  );
}

/** Encrypts sectors as the kernel does. */
export function encrypt(nonce: Buffer, first: number, plain: Buffer): Buffer {
  const contents = derive(9, nonce, 64);
  const units: Buffer[] = [];
  for (let at = 0; at < plain.length; at += SECTOR) {
    const iv = Buffer.alloc(16);
    iv.writeUInt32LE(first + at / SECTOR, 0);
    const cipher = createCipheriv('aes-256-xts', contents, iv);
    units.push(cipher.update(plain.subarray(at, at + SECTOR)), cipher.final());
  }
  return Buffer.concat(units);
}

export interface Fixture {
  /** Items of the tree of files, in key order. */
  readonly files: readonly FixtureItem[];
  /** What is on disk from the start of the data. */
  readonly data: Buffer;
  /** Sectors of `data` that have no checksum. */
  readonly withoutSums?: readonly number[];
}

/** The image; change bytes of it to see what a reader says. */
export function buildImage({ files, data, withoutSums = [] }: Fixture): Buffer {
  const image = Buffer.alloc(SIZE);
  const sums: FixtureItem[] = [];
  for (let at = 0; at < data.length; at += SECTOR) {
    if (withoutSums.includes(at / SECTOR)) continue;
    const sum = fields(4, [0, 4, crc32c(data.subarray(at, at + SECTOR))]);
    sums.push([-10, 128, AT.data + SHIFT + at, sum]);
  }
  const leaves: readonly (readonly [number, readonly FixtureItem[]])[] = [
    // One chunk with everything; the one of the superblock says DUP, so that the chunk tree is read from two copies.
    [AT.chunk, [[256, 228, SHIFT, chunk(1, [0])]]],
    [
      AT.root,
      [
        [5, 132, 0, root(AT.files)],
        [7, 132, 0, root(AT.csums)],
      ],
    ],
    [AT.files, files],
    [AT.csums, sums],
  ];
  for (const [at, items] of leaves) leaf(at, items).copy(image, at);
  image.copy(image, AT.chunk + COPY, AT.chunk, AT.chunk + NODE);
  data.copy(image, AT.data);
  const array = Buffer.concat([key(256, 228, SHIFT), chunk(2 | 32, [0, COPY])]);
  const block = fields(
    4096,
    ...([
      [48, 8, SUPER],
      [72, 8, GENERATION],
      [80, 8, AT.root + SHIFT],
      [88, 8, AT.chunk + SHIFT],
    ] as const),
    ...([
      [136, 8, 1],
      [144, 4, SECTOR],
      [148, 4, NODE],
      [160, 4, array.length],
    ] as const),
    ...([
      [164, 8, GENERATION],
      [188, 8, 1 << 15],
      [201, 8, 1],
    ] as const),
  );
  FSID.copy(block, 32);
  block.write('_BHRfS_M', 64, 'latin1');
  array.copy(block, 811);
  block.writeUInt32LE(crc32c(block.subarray(32)), 0);
  block.copy(image, SUPER);
  return image;
}

export const openImage = (image: Buffer): Volume =>
  new Volume((at, length) => Buffer.from(image.subarray(at, at + length)));

/** Changes a byte of the image at its physical address. */
export function tamper(image: Buffer, at: number): Buffer {
  const changed = Buffer.from(image);
  changed[at]! ^= 1;
  return changed;
}

/** Where things are in the image. */
export const PLACES = { ...AT, super: SUPER, copy: AT.chunk + COPY, sector: SECTOR };
