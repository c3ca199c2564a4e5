// SPDX-License-Identifier: GPL-2.0-only
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';

import { crc32c } from './crc32c.js';
import { TREE } from './items.js';
import { Volume, type Item } from './volume.js';

/**
 * Changes items of the top level's tree as somebody can who has the disk in his hands: in all copies, with checksums
 * that are right. The file system must be unmounted.
 * @param change gets an item's data, writes to it and returns true, or returns false
 * @returns how many items were changed
 */
export function forgeItems(file: string, change: (item: Item) => boolean): number {
  const forged = Volume.use(file, (volume) => {
    const root = volume.fileTrees().get(TREE.fs);
    if (!root) throw new Error(`${file}: no file system tree`);
    return [...volume.walk(root)].filter(change).map((item) => ({
      ...item,
      copies: volume.physical(item.at.block, volume.super.nodeSize),
      nodeSize: volume.super.nodeSize,
    }));
  });
  const fd = openSync(file, 'r+');
  try {
    for (const { at, data, copies, nodeSize } of forged) {
      for (const copy of copies) {
        const block = Buffer.alloc(nodeSize);
        readSync(fd, block, 0, nodeSize, copy);
        data.copy(block, at.offset);
        block.writeUInt32LE(crc32c(block.subarray(32)), 0);
        writeSync(fd, block, 0, nodeSize, copy);
      }
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return forged.length;
}
