// SPDX-License-Identifier: GPL-2.0-only
import { inflateSync } from 'node:zlib';

import { DiskError } from './bytes.js';
import {
  decryptName,
  decryptTarget,
  decryptUnits,
  extentKey,
  MODE,
  parseExtentContext,
  parseInodeContext,
  type ExtentContext,
  type InodeContext,
} from './fscrypt.js';
import {
  parseDirEntries,
  parseFileExtent,
  parseInodeItem,
  TREE,
  TYPE,
  type DirEntry,
  type FileExtent,
  type InodeItem,
  type RootItem,
} from './items.js';
import type { Volume } from './volume.js';

/** What a tree of files has of one inode. */
export interface Inode {
  item?: InodeItem;
  context?: InodeContext;
  readonly entries: DirEntry[];
  /** By offset in the file. */
  readonly extents: Map<number, FileExtent>;
  readonly contexts: Map<number, ExtentContext>;
}

/** A subvolume, snapshot or log tree, all of its inodes read. */
export class FileTree {
  readonly inodes = new Map<number, Inode>();

  constructor(
    private readonly volume: Volume,
    root: RootItem,
  ) {
    for (const { key, data } of volume.walk(root)) {
      if (key.type === TYPE.inodeItem) this.at(key.objectid).item = parseInodeItem(data);
      else if (key.type === TYPE.inodeContext) this.at(key.objectid).context = parseInodeContext(data);
      else if (key.type === TYPE.dirIndex) this.at(key.objectid).entries.push(...parseDirEntries(data));
      else if (key.type === TYPE.extentContext)
        this.at(key.objectid).contexts.set(key.offset, parseExtentContext(data));
      else if (key.type === TYPE.extentData)
        this.at(key.objectid).extents.set(key.offset, parseFileExtent(data));
    }
  }

  static of(volume: Volume, id: number = TREE.fs): FileTree {
    const root = volume.fileTrees().get(id);
    if (!root) throw new DiskError(`no tree ${id}`);
    return new FileTree(volume, root);
  }

  private at(ino: number): Inode {
    let inode = this.inodes.get(ino);
    if (!inode) this.inodes.set(ino, (inode = { entries: [], extents: new Map(), contexts: new Map() }));
    return inode;
  }

  inode(ino: number): Inode {
    const inode = this.inodes.get(ino);
    if (!inode) throw new DiskError(`no inode ${ino}`);
    return inode;
  }

  /** Name (decrypted where it is encrypted) to entry. */
  list(ino: number, masterKey: Buffer): Map<string, DirEntry> {
    const { context, entries } = this.inode(ino);
    return new Map(
      entries.map((entry) => {
        if (entry.encrypted !== (context !== undefined))
          throw new DiskError(`directory ${ino}: an entry is ${entry.encrypted ? '' : 'not '}encrypted`);
        return [context ? decryptName(masterKey, context, entry.name) : entry.name.toString(), entry];
      }),
    );
  }

  /** Inode number of a path below the tree's root directory. @throws DiskError when a part is not there */
  find(path: string, masterKey: Buffer): number {
    let ino: number = TREE.firstFree;
    for (const name of path.split('/').filter(Boolean)) {
      const entry = this.list(ino, masterKey).get(name);
      if (!entry) throw new DiskError(`${path}: no ${name} in directory ${ino}`);
      ino = entry.ino;
    }
    return ino;
  }

  target(ino: number, masterKey: Buffer): string {
    const { context, extents } = this.inode(ino);
    const extent = extents.get(0);
    if (!context || extent?.type !== 'inline') throw new DiskError(`inode ${ino} is no encrypted symlink`);
    return decryptTarget(masterKey, context, extent.data);
  }

  /** The bytes of a file, decrypted by nothing but the raw master key, the contexts and the ciphertext. */
  content(ino: number, masterKey: Buffer): Buffer {
    const { item, extents, contexts } = this.inode(ino);
    if (!item) throw new DiskError(`inode ${ino} has no item`);
    const unit = this.volume.super.sectorSize;
    const bytes = Buffer.alloc(Math.ceil(item.size / unit) * unit);
    for (const [at, extent] of extents) {
      if (extent.type === 'inline') throw new DiskError(`inode ${ino} has an inline extent`);
      if (extent.type === 'prealloc' || extent.diskBytenr === 0) continue;
      const context = contexts.get(at);
      if (extent.encryption !== 1 || !context) throw new DiskError(`inode ${ino}: ${at} is not encrypted`);
      this.extentData(extent, context, masterKey).copy(bytes, at);
    }
    return bytes.subarray(0, item.size);
  }

  /** What an encrypted extent gives a file. */
  private extentData(
    extent: Exclude<FileExtent, { type: 'inline' }>,
    context: ExtentContext,
    masterKey: Buffer,
  ): Buffer {
    if (context.mode !== MODE.aes256Xts) throw new DiskError(`contents of mode ${context.mode}`);
    const unit = this.volume.super.sectorSize;
    const key = extentKey(masterKey, context.nonce);
    if (extent.compression === 'none') {
      const ciphertext = this.volume.read(extent.diskBytenr + extent.offset, extent.bytes);
      return decryptUnits(key, extent.offset / unit, unit, ciphertext);
    }
    const stream = decryptUnits(key, 0, unit, this.volume.read(extent.diskBytenr, extent.diskBytes));
    if (extent.compression !== 'zlib') throw new DiskError(`cannot decompress ${extent.compression}`);
    // What follows the stream in its last sector is not part of it.
    const plain = inflateSync(stream);
    return plain.subarray(extent.offset, extent.offset + extent.bytes);
  }

  /** The decrypted start of a compressed extent, to be recognised by its magic number. */
  compressedStart(ino: number, at: number, masterKey: Buffer): Buffer {
    const { extents, contexts } = this.inode(ino);
    const extent = extents.get(at);
    const context = contexts.get(at);
    if (extent?.type !== 'regular' || !context) throw new DiskError(`inode ${ino} has no extent at ${at}`);
    const unit = this.volume.super.sectorSize;
    return decryptUnits(
      extentKey(masterKey, context.nonce),
      0,
      unit,
      this.volume.read(extent.diskBytenr, unit),
    );
  }
}
