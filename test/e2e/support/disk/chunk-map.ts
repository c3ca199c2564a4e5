// SPDX-License-Identifier: GPL-2.0-only
import { DiskError, i64, part, u64 } from './bytes.js';

/** BTRFS_CHUNK_ITEM_KEY. */
export const CHUNK_ITEM = 228;
const KEY_SIZE = 17;
const CHUNK_SIZE = 48;
const STRIPE_SIZE = 32;
/** BTRFS_BLOCK_GROUP_*: what a chunk is for, and the one profile with more than one stripe that is read here. */
const TYPE_MASK = 7;
const DUP = 1 << 5;

export interface Chunk {
  readonly logical: number;
  readonly length: number;
  readonly type: number;
  /** Where each copy is on the device. */
  readonly physical: readonly number[];
}

/** struct btrfs_chunk with its stripes. @throws DiskError for profiles other than single and DUP */
export function parseChunk(logical: number, bytes: Buffer, devid: number): Chunk & { readonly size: number } {
  part(bytes, 0, CHUNK_SIZE);
  const type = u64(bytes, 24);
  const stripes = bytes.readUInt16LE(44);
  if (type & ~(TYPE_MASK | DUP) || stripes !== (type & DUP ? 2 : 1))
    throw new DiskError(`chunk ${logical}: profile ${type.toString(16)} with ${stripes} stripes`);
  const physical: number[] = [];
  for (let stripe = 0; stripe < stripes; stripe++) {
    const at = part(bytes, CHUNK_SIZE + stripe * STRIPE_SIZE, STRIPE_SIZE);
    if (u64(at, 0) !== devid) throw new DiskError(`chunk ${logical} is on device ${u64(at, 0)}`);
    physical.push(u64(at, 8));
  }
  return { logical, length: u64(bytes, 0), type, physical, size: CHUNK_SIZE + stripes * STRIPE_SIZE };
}

/** Logical to physical addresses of a one-device btrfs. */
export class ChunkMap {
  private readonly chunks = new Map<number, Chunk>();

  add(chunk: Chunk): void {
    this.chunks.set(chunk.logical, chunk);
  }

  /** The array in the superblock, by which the chunk tree is found. @throws DiskError */
  addSystem(array: Buffer, devid: number): void {
    for (let at = 0; at < array.length;) {
      const key = part(array, at, KEY_SIZE);
      if (key.readUInt8(8) !== CHUNK_ITEM) throw new DiskError(`key type ${key.readUInt8(8)} among chunks`);
      const chunk = parseChunk(i64(key, 9), array.subarray(at + KEY_SIZE), devid);
      this.add(chunk);
      at += KEY_SIZE + chunk.size;
    }
  }

  /** Physical addresses of all copies of a range, which must lie in one chunk. @throws DiskError */
  find(logical: number, length: number): readonly number[] {
    for (const chunk of this.chunks.values()) {
      const into = logical - chunk.logical;
      if (into >= 0 && into + length <= chunk.length) return chunk.physical.map((start) => start + into);
    }
    throw new DiskError(`no chunk has the logical range ${logical} + ${length}`);
  }
}
