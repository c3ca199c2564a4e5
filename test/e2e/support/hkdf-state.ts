// SPDX-License-Identifier: GPL-2.0-only
import { createHmac } from 'node:crypto';

const MASK = (1n << 64n) - 1n;

/** The largest integer whose `power`th power is at most `n`. */
function root(n: bigint, power: bigint): bigint {
  let low = 0n;
  let high = 1n << 80n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** power <= n) low = middle;
    else high = middle;
  }
  return low;
}

function primes(count: number): bigint[] {
  const found: bigint[] = [];
  for (let n = 2n; found.length < count; n++) if (found.every((prime) => n % prime)) found.push(n);
  return found;
}

/** FIPS 180-4: 64 bits of the fractions of the square and cube roots of the first primes. */
const INITIAL: readonly bigint[] = primes(8).map((prime) => root(prime << 128n, 2n) & MASK);
const ROUND: readonly bigint[] = primes(80).map((prime) => root(prime << 192n, 3n) & MASK);

function rotate(x: bigint, bits: bigint): bigint {
  return ((x >> bits) | (x << (64n - bits))) & MASK;
}

/** SHA-512's state after one block of 128 bytes; node:crypto shows digests only. */
export function sha512Block(block: Uint8Array, state: readonly bigint[] = INITIAL): bigint[] {
  const view = new DataView(block.buffer, block.byteOffset, 128);
  const w = Array.from({ length: 16 }, (_, at) => view.getBigUint64(8 * at));
  const word = (at: number): bigint => w[at] ?? 0n;
  for (let t = 16; t < 80; t++) {
    const a = word(t - 15);
    const b = word(t - 2);
    const s0 = rotate(a, 1n) ^ rotate(a, 8n) ^ (a >> 7n);
    const s1 = rotate(b, 19n) ^ rotate(b, 61n) ^ (b >> 6n);
    w.push((word(t - 16) + s0 + word(t - 7) + s1) & MASK);
  }
  let [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n, g = 0n, h = 0n] = state;
  for (let t = 0; t < 80; t++) {
    const s1 = rotate(e, 14n) ^ rotate(e, 18n) ^ rotate(e, 41n);
    const t1 = h + s1 + ((e & f) ^ (~e & MASK & g)) + (ROUND[t] ?? 0n) + word(t);
    const s0 = rotate(a, 28n) ^ rotate(a, 34n) ^ rotate(a, 39n);
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK, c, b, a, (t1 + t2) & MASK];
  }
  return [a, b, c, d, e, f, g, h].map((value, at) => (value + (state[at] ?? 0n)) & MASK);
}

export interface HkdfState {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

/**
 * What the kernel keeps of a master key that was added raw, as it lies in the memory of a little-endian machine: HKDF's
 * pseudorandom key as the HMAC-SHA512 state after the inner and after the outer pad (fscrypt_init_hkdf() in
 * fs/crypto/hkdf.c, struct hmac_sha512_key).
 */
export function hkdfState(masterKey: Uint8Array): HkdfState {
  const prk = createHmac('sha512', Buffer.alloc(64)).update(masterKey).digest();
  const padded = (pad: number): Buffer => {
    const block = Buffer.alloc(128, pad);
    prk.forEach((byte, at) => (block[at] = byte ^ pad));
    const words = Buffer.alloc(64);
    sha512Block(block).forEach((value, at) => words.writeBigUInt64LE(value, 8 * at));
    return words;
  };
  return { inner: padded(0x36), outer: padded(0x5c) };
}
