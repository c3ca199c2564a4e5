// SPDX-License-Identifier: GPL-2.0-only
import { timingSafeEqual } from 'node:crypto';
import ssh2, { type Client, type ClientChannel } from 'ssh2';

import { InterruptedError } from '../core/errors.js';
import { publicKeyBlob } from './keys.js';

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH PEM. */
  readonly privateKey: string;
  /** The only host key that is accepted: an OpenSSH public key line. */
  readonly hostKey: string;
  /** Milliseconds for TCP, key exchange and authentication together. */
  readonly handshakeMs: number;
  /** Milliseconds without any answer after which the connection counts as lost. */
  readonly silenceMs: number;
}

/** Why a connection ended, when it was not closed by us. */
export interface ConnectionLoss {
  /** `silent`: nothing came back for `silenceMs`. `closed`: the other side, or the transport, closed it. */
  readonly kind: 'silent' | 'closed';
  readonly detail: string;
}

/**
 * Cheap under emulation and all of today's: the guest's CPU computes them without any hardware help. AES-GCM comes
 * last because TCG has to emulate AES-NI.
 */
const ALGORITHMS = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org'],
  serverHostKey: ['ssh-ed25519'],
  cipher: ['chacha20-poly1305@openssh.com', 'aes128-gcm@openssh.com'],
  compress: ['none'],
} as unknown as ssh2.Algorithms;

/** How often silence is measured within `silenceMs`. */
const KEEPALIVES = 4;

/** One authenticated connection. Channels are opened on it as often as one likes. */
export class SshConnection {
  /** Settles once, when the connection is over; undefined when we closed it ourselves. */
  readonly ended: Promise<ConnectionLoss | undefined>;
  private over = false;
  private closing = false;

  private constructor(private readonly client: Client) {
    this.ended = new Promise((resolve) => {
      let loss: ConnectionLoss | undefined;
      client.on('error', (error: Error & { level?: string }) => {
        loss ??= { kind: error.level === 'client-timeout' ? 'silent' : 'closed', detail: error.message };
      });
      client.on('close', () => {
        this.over = true;
        resolve(this.closing ? undefined : (loss ?? { kind: 'closed', detail: 'closed by the guest' }));
      });
    });
  }

  /** Connects and authenticates. @throws Error with the reason; InterruptedError when the signal fired. */
  static async connect(target: SshTarget, signal?: AbortSignal): Promise<SshConnection> {
    if (signal?.aborted) throw new InterruptedError();
    const client = new ssh2.Client();
    const expected = publicKeyBlob(target.hostKey);
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        signal?.removeEventListener('abort', abort);
        client.destroy();
        reject(error);
      };
      const abort = (): void => fail(new InterruptedError());
      const closed = (): void => fail(new Error('closed before the session was there'));
      signal?.addEventListener('abort', abort, { once: true });
      // A client that fails emits more than once; an unheard 'error' would end the process.
      client.on('error', fail);
      client.once('close', closed);
      client.once('ready', () => {
        signal?.removeEventListener('abort', abort);
        client.removeListener('error', fail);
        client.removeListener('close', closed);
        resolve(new SshConnection(client));
      });
      client.connect({
        host: target.host,
        port: target.port,
        username: target.user,
        privateKey: target.privateKey,
        hostVerifier: (key: Buffer) => key.length === expected.length && timingSafeEqual(key, expected),
        readyTimeout: target.handshakeMs,
        keepaliveInterval: Math.max(250, Math.floor(target.silenceMs / KEEPALIVES)),
        keepaliveCountMax: KEEPALIVES - 1,
        algorithms: ALGORITHMS,
        agentForward: false,
      });
    });
  }

  get open(): boolean {
    return !this.over && !this.closing;
  }

  /**
   * Opens a channel that runs `command` in the login shell. Rejects when the connection ends meanwhile.
   *
   * @param attach listens to the channel. A short command's exit status may come in the same packet as the word that
   *   it was started; who listens only once the promise has resolved can miss it.
   */
  openExec(command: string, attach?: (channel: ClientChannel) => void): Promise<ClientChannel> {
    return this.channel((done) => this.client.exec(command, done), attach);
  }

  /** Opens an interactive login shell, or a command, on a terminal of the given size. `attach` as for openExec. */
  openTerminal(
    size: { rows: number; cols: number; term: string },
    command?: string,
    attach?: (channel: ClientChannel) => void,
  ): Promise<ClientChannel> {
    const pty = { rows: size.rows, cols: size.cols, term: size.term, width: 0, height: 0 };
    return this.channel(
      (done) =>
        command === undefined ? this.client.shell(pty, done) : this.client.exec(command, { pty }, done),
      attach,
    );
  }

  private channel(
    start: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
    attach?: (channel: ClientChannel) => void,
  ): Promise<ClientChannel> {
    if (!this.open) return Promise.reject(new Error('the connection is closed'));
    return new Promise((resolve, reject) => {
      void this.ended.then((loss) => reject(new Error(loss?.detail ?? 'the connection was closed')));
      try {
        start((error, channel) => {
          if (error) return reject(error);
          attach?.(channel);
          resolve(channel);
        });
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Says goodbye and closes the socket. Does not wait for a guest that no longer answers. */
  close(): void {
    if (this.over || this.closing) return;
    this.closing = true;
    this.client.end();
    setTimeout(() => this.client.destroy(), 500).unref();
  }
}
