// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';

import { crc32c } from './crc32c.js';
import { FileTree, type Inode } from './file-tree.js';
import type { ExtentContext } from './fscrypt.js';
import { INODE_ENCRYPT, INODE_NODATASUM, type FileExtent } from './items.js';
import type { Volume } from './volume.js';

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/** Ciphertext of one data unit, under the key that `nonce` and the master key `identifier` give. */
export interface Unit {
  /** `IDENTIFIER:NONCE:INDEX`, hex and decimal. */
  readonly name: string;
  /** Where it is on the device (its first copy). */
  readonly physical: number;
  /** SHA-256 of the ciphertext. */
  readonly digest: string;
}

export interface Audit {
  /** What must not be, one line each; empty when all is well. */
  readonly problems: string[];
  /** Encrypted file extent items. */
  readonly items: number;
  /** Contexts without an encrypted item: harmless, see fs/btrfs/fscrypt-extent.c. */
  readonly leftovers: number;
  readonly nonces: number;
  readonly units: ReadonlyMap<string, Unit>;
}

/**
 * Checks the rules of encryption with per-extent keys on a disk, in all trees of files, without the key:
 *
 * - each file extent item with encryption=1 has a context, of the inode's policy; encrypted files have no other data
 * - a nonce belongs to one data extent, and a data extent has one nonce
 * - a (key, data unit index) is at one place, a place has one, and no two have the same ciphertext
 * - the checksums of data are those of the ciphertext
 *
 * @param logs the log trees as well, which the next mount will replay
 * @throws DiskError for a disk that cannot be read as a btrfs at all
 */
export function audit(volume: Volume, { logs = false } = {}): Audit {
  const auditor = new Auditor(volume);
  for (const [id, root] of volume.fileTrees()) auditor.tree(`tree ${id}`, new FileTree(volume, root));
  if (logs)
    for (const [id, root] of volume.logTrees())
      auditor.tree(`log of tree ${id}`, new FileTree(volume, root), true);
  return auditor.result();
}

class Auditor {
  private readonly problems: string[] = [];
  private readonly units = new Map<string, Unit>();
  private readonly atPhysical = new Map<number, string>();
  private readonly byDigest = new Map<string, string>();
  private readonly extentOfNonce = new Map<string, number>();
  private readonly nonceOfExtent = new Map<number, string>();
  private items = 0;
  private leftovers = 0;

  constructor(private readonly volume: Volume) {}

  result(): Audit {
    const { problems, items, leftovers, units } = this;
    return { problems, items, leftovers, nonces: this.extentOfNonce.size, units };
  }

  /** @param partial a log has only what was fsynced: an inode's item or context may be in the committed tree */
  tree(name: string, tree: FileTree, partial = false): void {
    for (const [ino, inode] of tree.inodes) {
      const where = `${name}, inode ${ino}`;
      const encrypted = inode.item ? (inode.item.flags & INODE_ENCRYPT) !== 0 : undefined;
      if (!partial && encrypted !== undefined && encrypted !== (inode.context !== undefined))
        this.problem(where, encrypted ? 'is encrypted and has no context' : 'has a context, not the flag');
      for (const [offset, extent] of inode.extents)
        this.extent(`${where}, offset ${offset}`, inode, extent, inode.contexts.get(offset), partial);
      for (const offset of inode.contexts.keys())
        if (inode.extents.get(offset)?.encryption !== 1) this.leftovers++;
    }
  }

  private extent(
    where: string,
    inode: Inode,
    extent: FileExtent,
    context: ExtentContext | undefined,
    partial: boolean,
  ): void {
    const flags = inode.item?.flags ?? 0;
    if (extent.encryption === 0) {
      const isFile = inode.item !== undefined && (inode.item.mode & S_IFMT) === S_IFREG;
      const hasData = extent.type === 'inline' || extent.diskBytenr !== 0;
      if (flags & INODE_ENCRYPT && isFile && hasData) this.problem(where, 'data that is not encrypted');
      return;
    }
    if (extent.encryption !== 1) return this.problem(where, `encryption ${extent.encryption}`);
    if (extent.type === 'inline') return this.problem(where, 'an encrypted inline extent');
    if (inode.item && !(flags & INODE_ENCRYPT)) this.problem(where, 'an encrypted extent of a plain file');
    this.items++;
    if (!context) return this.problem(where, 'no context');
    if (inode.context && !inode.context.identifier.equals(context.identifier))
      this.problem(where, 'the context names another master key than the policy');
    if (inode.context && inode.context.contentsMode !== context.mode)
      this.problem(where, 'the context names another mode than the policy');
    const nonce = `${context.identifier.toString('hex')}:${context.nonce.toString('hex')}`;
    this.same(this.extentOfNonce, nonce, extent.diskBytenr, where, 'its nonce is that of the extent at');
    this.same(this.nonceOfExtent, extent.diskBytenr, nonce, where, 'its data extent has the nonce');
    // The checksums of what was only logged are in the log.
    const withSums = !partial && !(flags & INODE_NODATASUM);
    if (extent.type === 'regular') this.data(where, extent, nonce, withSums);
  }

  private data(
    where: string,
    extent: Exclude<FileExtent, { type: 'inline' }>,
    nonce: string,
    withSums: boolean,
  ): void {
    const size = this.volume.super.sectorSize;
    const packed = extent.compression !== 'none';
    const start = packed ? 0 : extent.offset;
    const bytes = packed ? extent.diskBytes : extent.bytes;
    if (start + bytes > extent.diskBytes || start % size || bytes % size)
      return this.problem(where, `${start} + ${bytes} of an extent of ${extent.diskBytes} bytes`);
    for (let at = start; at < start + bytes; at += size) {
      const logical = extent.diskBytenr + at;
      const name = `${nonce}:${at / size}`;
      const [physical = -1] = this.volume.physical(logical, size);
      const known = this.units.get(name);
      if (known) {
        if (known.physical !== physical) this.problem(where, `unit ${name} is at two places`);
        continue;
      }
      const ciphertext = this.volume.read(logical, size);
      const digest = createHash('sha256').update(ciphertext).digest('hex');
      this.units.set(name, { name, physical, digest });
      this.same(this.atPhysical, physical, name, where, `the block at ${physical} is also unit`);
      this.same(this.byDigest, digest, name, where, `unit ${name} has the same ciphertext as`);
      if (withSums && this.volume.csumOf(logical) !== crc32c(ciphertext))
        this.problem(where, `the checksum of sector ${logical} is not that of the ciphertext`);
    }
  }

  private same<K, V>(map: Map<K, V>, key: K, value: V, where: string, what: string): void {
    const known = map.get(key);
    if (known === undefined) map.set(key, value);
    else if (known !== value) this.problem(where, `${what} ${known}`);
  }

  private problem(where: string, what: string): void {
    this.problems.push(`${where}: ${what}`);
  }
}

/**
 * Watches a disk over time: whatever is written, overwritten, moved or replayed between two looks, a (key, data unit
 * index) whose ciphertext changes has encrypted two plaintexts.
 */
export class UnitLedger {
  private readonly seen = new Map<string, string>();

  get size(): number {
    return this.seen.size;
  }

  /** Takes one look down; returns the units that changed since they were first seen. */
  add(units: ReadonlyMap<string, Unit>): string[] {
    const changed: string[] = [];
    for (const { name, digest } of units.values()) {
      const before = this.seen.get(name);
      if (before === undefined) this.seen.set(name, digest);
      else if (before !== digest) changed.push(`unit ${name} has encrypted two plaintexts`);
    }
    return changed;
  }
}
