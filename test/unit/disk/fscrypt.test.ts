// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { crc32c } from '../../e2e/support/disk/crc32c.js';
import { decryptCts, decryptUnits, keyIdentifier } from '../../e2e/support/disk/fscrypt.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('crc32c', () => {
  it('gives the published values (RFC 3720, B.4), whatever the length', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, at) => at)))).toBe(0x46dd794e);
    expect(crc32c(Buffer.alloc(0))).toBe(0);
  });
});

describe('names and contents', () => {
  it('decrypts with ciphertext stealing as in RFC 3962, appendix B', () => {
    const key = Buffer.from('chicken teriyaki');
    const plain = "I would like the General Gau's Chicken, please, and wonton soup.";
    const cases: readonly (readonly [number, string])[] = [
      [17, 'c6353568f2bf8cb4d8a580362da7ff7f97'],
      [31, 'fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5'],
      [32, '39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584'],
      [47, '97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5'],
    ];
    for (const [length, ciphertext] of cases)
      expect(decryptCts(key, hex(ciphertext)).toString()).toBe(plain.slice(0, length));
    expect(() => decryptCts(key, Buffer.alloc(15))).toThrow(/too few/);
  });

  it('takes the unit index as the little-endian IV of XTS (IEEE 1619, vector 10)', () => {
    const key = hex(
      '2718281828459045235360287471352662497757247093699959574966967627' +
        '3141592653589793238462643383279502884197169399375105820974944592',
    );
    const plain = Buffer.from(Array.from({ length: 512 }, (_, at) => at & 0xff));
    const start = hex('1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b');
    // Encryption of the vector's first two blocks, data unit 0xff.
    const again = decryptUnits(key, 0xff, 32, start);
    expect(again.equals(plain.subarray(0, 32))).toBe(true);
    expect(decryptUnits(key, 0xfe, 32, start).equals(again)).toBe(false);
  });

  it('names a master key by HKDF-SHA512 of context 1, as fstests expects', () => {
    // The key and identifier that fstests uses in many tests (common/encrypt: TEST_RAW_KEY, TEST_KEY_IDENTIFIER).
    const key = Buffer.from(Array.from({ length: 64 }, (_, at) => at + 1));
    expect(keyIdentifier(key).toString('hex')).toBe('69b2f6edeee720cce0577937eb8a6751');
  });
});
