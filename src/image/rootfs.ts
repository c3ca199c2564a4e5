// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

import { UserError } from '../core/errors.js';

/** Of an ext4 image: how long it is, and a hash over its first 64 KiB, which hold the superblock. */
export interface RootfsPrint {
  readonly bytes: number;
  readonly head: string;
}

const HEAD = 64 * 1024;
/** Offsets in an ext4 file system: Documentation/filesystems/ext4/super.rst. */
const SUPERBLOCK = 1024;
const MAGIC = { offset: SUPERBLOCK + 0x38, value: 0xef53 };
const BLOCKS = SUPERBLOCK + 0x4;
const LOG_BLOCK_SIZE = SUPERBLOCK + 0x18;

/**
 * Looks at a guest's root image.
 * @throws UserError when it cannot be read, is no ext4 file system, or is shorter than its superblock says.
 */
export async function inspectRootfs(file: string): Promise<RootfsPrint> {
  const refuse = (observed: string, cause?: unknown): UserError =>
    new UserError({
      subject: file,
      observed,
      expected: 'a raw ext4 image made by `enokey image` or vm/image/build.sh',
      cause,
    });
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw refuse(`cannot be read: ${error.code ?? error.message}`, error);
  });
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw refuse('is no file');
    const head = Buffer.alloc(HEAD);
    const { bytesRead } = await handle.read(head, 0, HEAD, 0);
    if (bytesRead < HEAD || head.readUInt16LE(MAGIC.offset) !== MAGIC.value)
      throw refuse('is no ext4 file system');
    const wanted = head.readUInt32LE(BLOCKS) * 1024 * 2 ** head.readUInt32LE(LOG_BLOCK_SIZE);
    if (info.size < wanted) throw refuse(`is cut short: ${info.size} bytes of ${wanted}`);
    return { bytes: info.size, head: createHash('sha256').update(head).digest('hex') };
  } finally {
    await handle.close();
  }
}
