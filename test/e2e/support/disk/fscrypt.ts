// SPDX-License-Identifier: GPL-2.0-only
import { createDecipheriv, hkdfSync } from 'node:crypto';

import { DiskError, part } from './bytes.js';

/** HKDF_CONTEXT_* of fs/crypto/fscrypt_private.h. */
const FOR = { keyIdentifier: 1, perFileKey: 2, perExtentKey: 9 } as const;

/** FSCRYPT_MODE_*: include/uapi/linux/fscrypt.h. */
export const MODE = { aes256Xts: 1, aes256Cts: 4 } as const;

/** struct fscrypt_context_v2 of fs/crypto/fscrypt_private.h: key type 41. */
export interface InodeContext {
  readonly contentsMode: number;
  readonly namesMode: number;
  readonly flags: number;
  readonly identifier: Buffer;
  readonly nonce: Buffer;
}

/** @throws DiskError for anything but a v2 context */
export function parseInodeContext(bytes: Buffer): InodeContext {
  if (bytes.length !== 40 || bytes[0] !== 2)
    throw new DiskError(`an inode context of ${bytes.length} bytes, version ${bytes[0]}`);
  if (bytes[4] !== 0) throw new DiskError(`data units of 2^${bytes[4]} bytes`);
  return {
    contentsMode: bytes.readUInt8(1),
    namesMode: bytes.readUInt8(2),
    flags: bytes.readUInt8(3),
    identifier: bytes.subarray(8, 24),
    nonce: bytes.subarray(24, 40),
  };
}

/** struct fscrypt_extent_context of fs/crypto/fscrypt_private.h: key type 42. */
export interface ExtentContext {
  readonly mode: number;
  readonly identifier: Buffer;
  readonly nonce: Buffer;
}

/** @throws DiskError for anything but version 1 */
export function parseExtentContext(bytes: Buffer): ExtentContext {
  if (bytes.length !== 34 || bytes[0] !== 1)
    throw new DiskError(`an extent context of ${bytes.length} bytes, version ${bytes[0]}`);
  return {
    mode: bytes.readUInt8(1),
    identifier: bytes.subarray(2, 18),
    nonce: bytes.subarray(18, 34),
  };
}

/** HKDF-SHA512 as fs/crypto/hkdf.c uses it: no salt, info is "fscrypt\0", a byte that says what for, and more. */
function derive(masterKey: Buffer, what: number, info: Buffer, length: number): Buffer {
  const label = Buffer.concat([Buffer.from('fscrypt\0'), Buffer.from([what]), info]);
  return Buffer.from(hkdfSync('sha512', masterKey, Buffer.alloc(64), label, length));
}

/** The 16 bytes by which policies and contexts name a raw master key. */
export function keyIdentifier(masterKey: Buffer): Buffer {
  return derive(masterKey, FOR.keyIdentifier, Buffer.alloc(0), 16);
}

/** The AES-256-XTS key of an extent. */
export function extentKey(masterKey: Buffer, nonce: Buffer): Buffer {
  return derive(masterKey, FOR.perExtentKey, nonce, 64);
}

/**
 * Decrypts whole data units. `first` is the index of the first of them in the extent on disk; the IV is that index,
 * little endian (fs/crypto/extent.c).
 */
export function decryptUnits(key: Buffer, first: number, unitSize: number, ciphertext: Buffer): Buffer {
  if (ciphertext.length % unitSize !== 0)
    throw new DiskError(`${ciphertext.length} bytes are no whole units of ${unitSize}`);
  const units: Buffer[] = [];
  for (let at = 0; at < ciphertext.length; at += unitSize) {
    const iv = Buffer.alloc(16);
    iv.writeBigUInt64LE(BigInt(first + at / unitSize));
    const cipher = createDecipheriv('aes-256-xts', key, iv);
    units.push(cipher.update(ciphertext.subarray(at, at + unitSize)), cipher.final());
  }
  return Buffer.concat(units);
}

const BLOCK = 16;

/** AES-CBC with ciphertext stealing, IV 0: the kernel's cts(cbc(aes)), which is CBC-CS3 of SP 800-38A addendum. */
export function decryptCts(key: Buffer, ciphertext: Buffer): Buffer {
  const length = ciphertext.length;
  if (length < BLOCK) throw new DiskError(`${length} bytes are too few for ciphertext stealing`);
  const cbc = (bytes: Buffer, iv: Buffer): Buffer => {
    const cipher = createDecipheriv(`aes-${key.length * 8}-cbc`, key, iv).setAutoPadding(false);
    return Buffer.concat([cipher.update(bytes), cipher.final()]);
  };
  if (length === BLOCK) return cbc(ciphertext, Buffer.alloc(BLOCK));
  const tail = length - (Math.ceil(length / BLOCK) - 1) * BLOCK;
  const headEnd = length - tail - BLOCK;
  // On disk the last two blocks are swapped, and the shorter one lacks what was stolen for the other.
  const second = ciphertext.subarray(headEnd, headEnd + BLOCK);
  const last = ciphertext.subarray(headEnd + BLOCK);
  const stolen = cbc(second, Buffer.alloc(BLOCK)).subarray(tail);
  const inOrder = Buffer.concat([ciphertext.subarray(0, headEnd), last, stolen, second]);
  return cbc(inOrder, Buffer.alloc(BLOCK)).subarray(0, length);
}

/** The plaintext of a name on disk; `context` is that of the directory. Padding goes. */
export function decryptName(masterKey: Buffer, context: InodeContext, ciphertext: Buffer): string {
  const padded = decryptPadded(masterKey, context, ciphertext);
  const end = padded.indexOf(0);
  return padded.toString('utf8', 0, end === -1 ? undefined : end);
}

/** The target of a symlink: struct fscrypt_symlink_data; `context` is that of the symlink. */
export function decryptTarget(masterKey: Buffer, context: InodeContext, data: Buffer): string {
  return decryptName(masterKey, context, part(data, 2, data.readUInt16LE(0)));
}

function decryptPadded(masterKey: Buffer, context: InodeContext, ciphertext: Buffer): Buffer {
  if (context.namesMode !== MODE.aes256Cts) throw new DiskError(`names of mode ${context.namesMode}`);
  return decryptCts(derive(masterKey, FOR.perFileKey, context.nonce, 32), ciphertext);
}
