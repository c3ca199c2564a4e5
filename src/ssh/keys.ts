// SPDX-License-Identifier: GPL-2.0-only
import ssh2 from 'ssh2';

/** An ed25519 key pair in OpenSSH's formats. */
export interface KeyPair {
  /** PEM, `-----BEGIN OPENSSH PRIVATE KEY-----`, ends with a newline. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA... comment`, one line without its end. */
  readonly publicKey: string;
}

/** Makes a key pair without ssh-keygen. */
export function generateKeyPair(comment: string): KeyPair {
  const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
  return {
    privateKey: pair.private.endsWith('\n') ? pair.private : `${pair.private}\n`,
    publicKey: pair.public.trim(),
  };
}

/** The key blob of a public key line, as a host sends it during key exchange. */
export function publicKeyBlob(publicKey: string): Buffer {
  const blob = publicKey.split(' ')[1];
  if (!blob) throw new Error('not an OpenSSH public key line');
  return Buffer.from(blob, 'base64');
}
