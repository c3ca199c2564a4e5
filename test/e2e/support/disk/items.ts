// SPDX-License-Identifier: GPL-2.0-only
import { DiskError, i64, part, u64 } from './bytes.js';

/** Key types of include/uapi/linux/btrfs_tree.h; 41 and 42 are those of the encrypt feature. */
export const TYPE = {
  inodeItem: 1,
  inodeRef: 12,
  inodeContext: 41,
  extentContext: 42,
  dirItem: 84,
  dirIndex: 96,
  extentData: 108,
  extentCsum: 128,
  rootItem: 132,
} as const;

/** Object ids of trees; those that btrfs counts down from 2^64 are negative here. */
export const TREE = { fs: 5, csum: 7, log: -6, firstFree: 256 } as const;
export const EXTENT_CSUM_OBJECT = -10;

export const INODE_NODATASUM = 1;
export const INODE_ENCRYPT = 1 << 12;
export const FT_ENCRYPTED = 0x80;

export interface Key {
  readonly objectid: number;
  readonly type: number;
  readonly offset: number;
}

export function parseKey(bytes: Buffer, at = 0): Key {
  const key = part(bytes, at, 17);
  return { objectid: i64(key, 0), type: key.readUInt8(8), offset: i64(key, 9) };
}

/** struct btrfs_root_item: where a tree begins. */
export interface RootItem {
  readonly bytenr: number;
  readonly level: number;
  readonly generation: number;
  readonly refs: number;
}

export function parseRootItem(bytes: Buffer): RootItem {
  part(bytes, 0, 239);
  return {
    generation: u64(bytes, 160),
    bytenr: u64(bytes, 176),
    refs: bytes.readUInt32LE(216),
    level: bytes.readUInt8(238),
  };
}

export interface InodeItem {
  readonly size: number;
  readonly mode: number;
  readonly flags: number;
}

export function parseInodeItem(bytes: Buffer): InodeItem {
  part(bytes, 0, 160);
  return { size: u64(bytes, 16), mode: bytes.readUInt32LE(52), flags: u64(bytes, 64) };
}

/** An entry of a directory: the name as it is on disk. */
export interface DirEntry {
  readonly ino: number;
  readonly name: Buffer;
  readonly encrypted: boolean;
  /** 1 file, 2 directory, 7 symlink: BTRFS_FT_*. */
  readonly kind: number;
}

/** The entries of a DIR_ITEM (names may share a hash) or DIR_INDEX. */
export function parseDirEntries(bytes: Buffer): DirEntry[] {
  const entries: DirEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    const head = part(bytes, at, 30);
    const dataLength = head.readUInt16LE(25);
    const nameLength = head.readUInt16LE(27);
    const type = head.readUInt8(29);
    entries.push({
      ino: parseKey(head).objectid,
      name: part(bytes, at + 30, nameLength),
      encrypted: (type & FT_ENCRYPTED) !== 0,
      kind: type & ~FT_ENCRYPTED,
    });
    at += 30 + nameLength + dataLength;
  }
  return entries;
}

/** The names of an INODE_REF. */
export function parseInodeRefs(bytes: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = part(bytes, at, 10).readUInt16LE(8);
    names.push(part(bytes, at + 10, length));
    at += 10 + length;
  }
  return names;
}

export const COMPRESSION = ['none', 'zlib', 'lzo', 'zstd'] as const;

interface ExtentHead {
  readonly generation: number;
  /** Bytes before compression. */
  readonly ramBytes: number;
  readonly compression: (typeof COMPRESSION)[number];
  /** The field itself: 1 where there is a context. */
  readonly encryption: number;
}

export interface InlineExtent extends ExtentHead {
  readonly type: 'inline';
  readonly data: Buffer;
}

export interface DiskExtent extends ExtentHead {
  readonly type: 'regular' | 'prealloc';
  /** Logical address of the data extent; 0: a hole. */
  readonly diskBytenr: number;
  readonly diskBytes: number;
  /** The part of the (uncompressed) extent that the file has. */
  readonly offset: number;
  readonly bytes: number;
}

export type FileExtent = InlineExtent | DiskExtent;

/** struct btrfs_file_extent_item. @throws DiskError */
export function parseFileExtent(bytes: Buffer): FileExtent {
  part(bytes, 0, 21);
  const compression = COMPRESSION[bytes.readUInt8(16)];
  if (!compression) throw new DiskError(`compression ${bytes.readUInt8(16)}`);
  if (bytes.readUInt16LE(18) !== 0) throw new DiskError(`other encoding ${bytes.readUInt16LE(18)}`);
  const head = {
    generation: u64(bytes, 0),
    ramBytes: u64(bytes, 8),
    compression,
    encryption: bytes.readUInt8(17),
  };
  const type = bytes.readUInt8(20);
  if (type === 0) return { ...head, type: 'inline', data: bytes.subarray(21) };
  if (type !== 1 && type !== 2) throw new DiskError(`file extent of type ${type}`);
  if (bytes.length !== 53) throw new DiskError(`a file extent item of ${bytes.length} bytes`);
  return {
    ...head,
    type: type === 1 ? 'regular' : 'prealloc',
    diskBytenr: u64(bytes, 21),
    diskBytes: u64(bytes, 29),
    offset: u64(bytes, 37),
    bytes: u64(bytes, 45),
  };
}
