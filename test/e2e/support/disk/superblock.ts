// SPDX-License-Identifier: GPL-2.0-only
import { crc32c } from './crc32c.js';
import { DiskError, part, u64 } from './bytes.js';

/** BTRFS_SUPER_INFO_OFFSET and BTRFS_SUPER_INFO_SIZE. */
export const SUPER_AT = 65536;
export const SUPER_SIZE = 4096;
/** BTRFS_FEATURE_INCOMPAT_ENCRYPT. */
export const INCOMPAT_ENCRYPT = 1 << 15;

/** Features that change what is read here: RAID stripe tree, extent tree v2, remap tree... are not understood. */
const KNOWN_INCOMPAT = 0x3ff | (1 << 10) | (1 << 11) | INCOMPAT_ENCRYPT;

export interface Superblock {
  readonly fsid: Buffer;
  readonly generation: number;
  readonly root: number;
  readonly rootLevel: number;
  readonly chunkRoot: number;
  readonly chunkRootLevel: number;
  readonly chunkRootGeneration: number;
  /** Logical address of the root of log trees; 0: there is no log to replay. */
  readonly logRoot: number;
  readonly logRootLevel: number;
  readonly sectorSize: number;
  readonly nodeSize: number;
  readonly incompat: number;
  readonly devid: number;
  readonly systemChunks: Buffer;
}

/**
 * struct btrfs_super_block of include/uapi/linux/btrfs_tree.h: `bytes` is the 4 KiB at SUPER_AT.
 * @throws DiskError for anything but a one-device btrfs with crc32c and features that are known here
 */
export function parseSuperblock(bytes: Buffer): Superblock {
  part(bytes, 0, SUPER_SIZE);
  if (bytes.toString('latin1', 64, 72) !== '_BHRfS_M') throw new DiskError('no btrfs superblock');
  const csumType = bytes.readUInt16LE(196);
  if (csumType !== 0) throw new DiskError(`checksum type ${csumType} is not crc32c`);
  if (bytes.readUInt32LE(0) !== crc32c(bytes.subarray(32, SUPER_SIZE)))
    throw new DiskError('the checksum of the superblock is wrong');
  if (u64(bytes, 48) !== SUPER_AT) throw new DiskError('the superblock is another one than it says');
  const devices = u64(bytes, 136);
  if (devices !== 1) throw new DiskError(`${devices} devices, this reads one`);
  const incompat = u64(bytes, 188);
  const unknown = BigInt(incompat) & ~BigInt(KNOWN_INCOMPAT);
  if (unknown) throw new DiskError(`unknown incompat features ${unknown.toString(16)}`);
  return {
    fsid: bytes.subarray(32, 48),
    generation: u64(bytes, 72),
    root: u64(bytes, 80),
    rootLevel: bytes.readUInt8(198),
    chunkRoot: u64(bytes, 88),
    chunkRootLevel: bytes.readUInt8(199),
    chunkRootGeneration: u64(bytes, 164),
    logRoot: u64(bytes, 96),
    logRootLevel: bytes.readUInt8(200),
    sectorSize: bytes.readUInt32LE(144),
    nodeSize: bytes.readUInt32LE(148),
    incompat,
    devid: u64(bytes, 201),
    systemChunks: part(bytes, 811, Math.min(bytes.readUInt32LE(160), 2048)),
  };
}
