// SPDX-License-Identifier: GPL-2.0-only
import type { ClientChannel } from 'ssh2';

import type { SshConnection } from './connection.js';

export interface SshExecRequest {
  /** For the login shell; see `quoteCommand`. */
  readonly command: string;
  /** Milliseconds after which the channel is given up. */
  readonly limitMs: number;
  /** Written to stdin, which is closed after it. Without it stdin is closed at once. */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** A promise holds the stream back until it settles; its rejection ends the channel. */
  readonly onStdout?: (chunk: Buffer) => void | Promise<void>;
  readonly onStderr?: (chunk: Buffer) => void;
  /** Gives the channel up early: the guest is known to be dead. */
  readonly signal?: AbortSignal;
  /** Milliseconds to wait for the streams' end after the command ended: a daemon may hold them open for ever. */
  readonly drainMs?: number;
}

export interface SshExecResult {
  /** undefined when no exit status was received: never success. */
  readonly exitCode: number | undefined;
  /** `KILL`, `SEGV`: without SIG, as RFC 4254 6.10 names them. */
  readonly signal: string | undefined;
  readonly timedOut: boolean;
  /** The channel or the connection ended before an exit status came. */
  readonly lost: boolean;
  /** The streams were still open `drainMs` after the command's end. */
  readonly heldOpen: boolean;
  readonly durationMs: number;
}

const DRAIN_MS = 2000;

/** Writes all input with backpressure, then closes stdin. Errors of a channel that is gone are of no interest. */
async function feed(channel: ClientChannel, input: SshExecRequest['input']): Promise<void> {
  if (input !== undefined) {
    const chunks = typeof input === 'string' || input instanceof Uint8Array ? [input] : input;
    for await (const chunk of chunks) {
      if (channel.destroyed || channel.writableEnded) return;
      if (!channel.write(chunk)) {
        await new Promise<void>((resolve) => {
          channel.once('drain', resolve);
          channel.once('close', resolve);
        });
      }
    }
  }
  channel.end();
}

/**
 * Runs one command on the connection. Rejects only when `onStdout` or the input did; whatever the guest does is
 * told by the result.
 */
export async function sshExec(connection: SshConnection, request: SshExecRequest): Promise<SshExecResult> {
  const began = performance.now();
  let exitCode: number | undefined;
  let signal: string | undefined;
  let exited = false;

  return new Promise((resolve, reject) => {
    let channel: ClientChannel | undefined;
    let settled = false;
    let drain: NodeJS.Timeout | undefined;

    const settle = (how: {
      timedOut?: boolean;
      lost?: boolean;
      heldOpen?: boolean;
      error?: unknown;
    }): void => {
      if (settled) return;
      settled = true;
      clearTimeout(limit);
      clearTimeout(drain);
      request.signal?.removeEventListener('abort', abort);
      // What still runs over there must not go on beside the next command.
      if (channel && !exited && connection.open) {
        try {
          channel.signal('KILL');
        } catch {
          // The channel went away first.
        }
      }
      channel?.destroy();
      if (how.error !== undefined) {
        reject(
          how.error instanceof Error ? how.error : new Error('the exchange failed', { cause: how.error }),
        );
        return;
      }
      resolve({
        exitCode,
        signal,
        timedOut: how.timedOut ?? false,
        lost: how.lost ?? false,
        heldOpen: how.heldOpen ?? false,
        durationMs: performance.now() - began,
      });
    };
    const abort = (): void => settle({ lost: !exited });
    const limit = setTimeout(() => settle({ timedOut: !exited, heldOpen: exited }), request.limitMs);
    request.signal?.addEventListener('abort', abort, { once: true });
    if (request.signal?.aborted) return abort();
    void connection.ended.then(() => settle({ lost: !exited }));

    const attach = (opened: ClientChannel): void => {
      channel = opened;
      if (settled) return void opened.destroy();
      let pending: Promise<void> = Promise.resolve();
      const awaitEnd = (): void => {
        clearTimeout(drain);
        drain = setTimeout(() => settle({ heldOpen: true }), request.drainMs ?? DRAIN_MS);
      };
      opened.on('data', (chunk: Buffer) => {
        // Output that is still on its way is no reason to give up: only silence after the end is.
        if (exited) awaitEnd();
        const wait = request.onStdout?.(chunk);
        if (!wait) return;
        opened.pause();
        pending = wait.then(
          () => {
            if (exited && !settled) awaitEnd();
            opened.resume();
          },
          (error: unknown) => settle({ error: error ?? new Error('stdout was refused') }),
        );
      });
      opened.stderr.on('data', (chunk: Buffer) => request.onStderr?.(chunk));
      opened.on('error', () => undefined);
      opened.on('exit', (code: number | null, name?: string) => {
        exited = true;
        exitCode = code ?? undefined;
        signal = code === null ? (name?.replace(/^SIG/, '') ?? 'unknown') : undefined;
        awaitEnd();
      });
      opened.on('close', () => void pending.then(() => settle({ lost: !exited })));
      feed(opened, request.input).catch((error: unknown) => settle({ error }));
    };
    connection.openExec(request.command, attach).catch(() => settle({ lost: true }));
  });
}
