// SPDX-License-Identifier: GPL-2.0-only

/** What is on the disk is not what it has to be. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
}

/** A little-endian 64-bit number. Everything of a test disk is far below 2^53. @throws DiskError beyond that */
export function u64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new DiskError(`the number at byte ${at} is ${value}`);
  return Number(value);
}

/** A key's objectid or offset: btrfs counts its own objects down from 2^64, here -1, -2... @throws DiskError */
export function i64(bytes: Buffer, at: number): number {
  const value = bytes.readBigInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER))
    throw new DiskError(`the number at byte ${at} is ${value}`);
  return Number(value);
}

/** A part of `bytes` that must be there. @throws DiskError when it is not */
export function part(bytes: Buffer, at: number, length: number): Buffer {
  if (at < 0 || length < 0 || at + length > bytes.length)
    throw new DiskError(`bytes ${at} to ${at + length} of ${bytes.length}`);
  return bytes.subarray(at, at + length);
}
