// SPDX-License-Identifier: GPL-2.0-only
import { closeSync, openSync, readSync } from 'node:fs';

import { DiskError, part, u64 } from './bytes.js';
import { CHUNK_ITEM, ChunkMap, parseChunk } from './chunk-map.js';
import { crc32c } from './crc32c.js';
import { EXTENT_CSUM_OBJECT, parseKey, parseRootItem, TREE, TYPE, type Key, type RootItem } from './items.js';
import { parseSuperblock, SUPER_AT, SUPER_SIZE, type Superblock } from './superblock.js';

/** sizeof(struct btrfs_header), btrfs_item, btrfs_key_ptr. */
const HEADER_SIZE = 101;
const ITEM_SIZE = 25;
const POINTER_SIZE = 33;
const MAX_LEVEL = 8;

export interface Item {
  readonly key: Key;
  readonly data: Buffer;
  /** Logical address of the tree block that it is in, and where in that its data begins. */
  readonly at: { readonly block: number; readonly offset: number };
}

/** Bytes of a disk, at a physical address. */
export type ReadAt = (at: number, length: number) => Buffer;

/**
 * A btrfs as it lies on its one disk, read without any kernel: single and DUP profiles, crc32c. Every tree block is
 * checked (checksum, address, file system, generation, bounds); whatever is wrong is a DiskError. The disk must not
 * be written to meanwhile: the file system is unmounted, or synced and idle.
 */
export class Volume {
  readonly super: Superblock;
  private readonly chunks = new ChunkMap();
  private csums: Map<number, number> | undefined;

  constructor(private readonly readAt: ReadAt) {
    this.super = parseSuperblock(readAt(SUPER_AT, SUPER_SIZE));
    this.chunks.addSystem(this.super.systemChunks, this.super.devid);
    const { chunkRoot, chunkRootLevel, chunkRootGeneration } = this.super;
    const root = { bytenr: chunkRoot, level: chunkRootLevel, generation: chunkRootGeneration };
    for (const { key, data } of [...this.walk(root)])
      if (key.type === CHUNK_ITEM) this.chunks.add(parseChunk(key.offset, data, this.super.devid));
  }

  /** Opens an image file for the time of `work`. */
  static use<T>(file: string, work: (volume: Volume) => T): T {
    const fd = openSync(file, 'r');
    try {
      return work(
        new Volume((at, length) => {
          const bytes = Buffer.alloc(length);
          const got = readSync(fd, bytes, 0, length, at);
          if (got !== length) throw new DiskError(`${file} ends within ${at} + ${length}`);
          return bytes;
        }),
      );
    } finally {
      closeSync(fd);
    }
  }

  /** Physical addresses of the copies of a logical range. */
  physical(logical: number, length: number): readonly number[] {
    return this.chunks.find(logical, length);
  }

  /** Bytes at a logical address. @throws DiskError when the copies differ */
  read(logical: number, length: number): Buffer {
    const [first, ...others] = this.physical(logical, length).map((at) => this.readAt(at, length));
    if (!first || others.some((other) => !other.equals(first)))
      throw new DiskError(`the copies of ${logical} + ${length} differ`);
    return first;
  }

  /** All items below a root, in key order. */
  *walk(root: Pick<RootItem, 'bytenr' | 'level' | 'generation'>): Generator<Item> {
    const block = this.block(root.bytenr, root.level, root.generation);
    const count = block.readUInt32LE(96);
    for (let index = 0; index < count; index++) {
      if (root.level > 0) {
        const pointer = part(block, HEADER_SIZE + index * POINTER_SIZE, POINTER_SIZE);
        yield* this.walk({ bytenr: u64(pointer, 17), level: root.level - 1, generation: u64(pointer, 25) });
      } else {
        const head = part(block, HEADER_SIZE + index * ITEM_SIZE, ITEM_SIZE);
        const offset = HEADER_SIZE + head.readUInt32LE(17);
        const data = part(block, offset, head.readUInt32LE(21));
        yield { key: parseKey(head), data, at: { block: root.bytenr, offset } };
      }
    }
  }

  /** The trees of files: the top level, subvolumes and snapshots, by id. */
  fileTrees(): Map<number, RootItem> {
    const { root: bytenr, rootLevel: level, generation } = this.super;
    const trees = new Map<number, RootItem>();
    for (const { key, data } of this.walk({ bytenr, level, generation })) {
      if (key.type !== TYPE.rootItem) continue;
      if (key.objectid !== TREE.fs && key.objectid < TREE.firstFree) continue;
      const item = parseRootItem(data);
      if (item.refs > 0) trees.set(key.objectid, item);
    }
    return trees;
  }

  /** The log trees that the next mount will replay, by the id of the tree that they belong to. */
  logTrees(): Map<number, RootItem> {
    const trees = new Map<number, RootItem>();
    const { logRoot: bytenr, logRootLevel: level, generation } = this.super;
    if (bytenr === 0) return trees;
    // btrfs_replay_log(): the log's blocks are of the transaction after the committed one.
    for (const { key, data } of this.walk({ bytenr, level, generation: generation + 1 }))
      if (key.type === TYPE.rootItem && key.objectid === TREE.log) trees.set(key.offset, parseRootItem(data));
    return trees;
  }

  /** The checksum that btrfs has of a sector of data. */
  csumOf(logical: number): number | undefined {
    this.csums ??= this.readCsums();
    return this.csums.get(logical);
  }

  private readCsums(): Map<number, number> {
    const csums = new Map<number, number>();
    const { root: bytenr, rootLevel: level, generation } = this.super;
    for (const { key, data } of this.walk({ bytenr, level, generation })) {
      if (key.type !== TYPE.rootItem || key.objectid !== TREE.csum) continue;
      for (const item of this.walk(parseRootItem(data))) {
        if (item.key.type !== TYPE.extentCsum || item.key.objectid !== EXTENT_CSUM_OBJECT) continue;
        for (let at = 0; at + 4 <= item.data.length; at += 4)
          csums.set(item.key.offset + (at / 4) * this.super.sectorSize, item.data.readUInt32LE(at));
      }
    }
    return csums;
  }

  private block(logical: number, level: number, generation: number): Buffer {
    const block = this.read(logical, this.super.nodeSize);
    const fail = (what: string): never => {
      throw new DiskError(`tree block ${logical}: ${what}`);
    };
    if (block.readUInt32LE(0) !== crc32c(block.subarray(32))) fail('wrong checksum');
    if (u64(block, 48) !== logical) fail(`says that it is ${u64(block, 48)}`);
    if (!block.subarray(32, 48).equals(this.super.fsid)) fail('of another file system');
    if (block.readUInt8(100) !== level || level >= MAX_LEVEL)
      fail(`level ${block.readUInt8(100)}, not ${level}`);
    if (u64(block, 80) !== generation) fail(`generation ${u64(block, 80)}, not ${generation}`);
    return block;
  }
}
