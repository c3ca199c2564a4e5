// SPDX-License-Identifier: GPL-2.0-only
import ssh2 from 'ssh2';

/** An ed25519 key pair in OpenSSH's formats. */
export interface KeyPair {
  /** PEM, `-----BEGIN OPENSSH PRIVATE KEY-----`, ends with a newline. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA... comment`, one line without its end. */
  readonly publicKey: string;
}

/** string "ssh-ed25519", string of 32 bytes (RFC 8709, section 4). */
const ED25519_BLOB_BYTES = 4 + 'ssh-ed25519'.length + 4 + 32;

/**
 * Makes a key pair without ssh-keygen. ssh2 1.17 strips leading zero bytes off the public key, so that one pair in
 * 256 is malformed (measured: 15 of 3000): such a pair is thrown away.
 */
export function generateKeyPair(comment: string): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (publicKeyBlob(pair.public).length !== ED25519_BLOB_BYTES) continue;
    return {
      privateKey: pair.private.endsWith('\n') ? pair.private : `${pair.private}\n`,
      publicKey: pair.public.trim(),
    };
  }
}

/** The key blob of a public key line, as a host sends it during key exchange. */
export function publicKeyBlob(publicKey: string): Buffer {
  const blob = publicKey.split(' ')[1];
  if (!blob) throw new Error('not an OpenSSH public key line');
  return Buffer.from(blob, 'base64');
}
