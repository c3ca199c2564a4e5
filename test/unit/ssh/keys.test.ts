// SPDX-License-Identifier: GPL-2.0-only
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';

import { generateKeyPair, publicKeyBlob } from '../../../src/ssh/keys.js';

describe('generateKeyPair', () => {
  it('makes well-formed pairs only, although one in 256 of the library is not', () => {
    for (let i = 0; i < 1500; i++) {
      const pair = generateKeyPair('guest');
      const parsed = ssh2.utils.parseKey(pair.privateKey);
      expect(parsed).not.toBeInstanceOf(Error);
      expect((parsed as ssh2.ParsedKey).getPublicSSH()).toEqual(publicKeyBlob(pair.publicKey));
    }
  });
});
