// SPDX-License-Identifier: GPL-2.0-only
export { SshConnection, type ConnectionLoss, type SshTarget } from './connection.js';
export type { ClientChannel } from 'ssh2';
export { sshExec, type SshExecRequest, type SshExecResult } from './exec.js';
export { generateKeyPair, publicKeyBlob, type KeyPair } from './keys.js';
export { quoteCommand, quoteWord } from './quote.js';
