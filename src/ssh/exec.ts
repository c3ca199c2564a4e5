// SPDX-License-Identifier: GPL-2.0-only
import type { ClientChannel } from 'ssh2';

import type { SshConnection } from './connection.js';

export interface SshExecRequest {
  /** For the login shell; see `quoteCommand`. */
  readonly command: string;
  /** Milliseconds for the command. Output of one that ended in time may take longer, see `drainMs`. */
  readonly limitMs: number;
  /** Written to stdin, which is closed after it. Without it stdin is closed at once. */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** A promise holds the stream back until it settles; its rejection ends the channel. */
  readonly onStdout?: (chunk: Buffer) => void | Promise<void>;
  readonly onStderr?: (chunk: Buffer) => void;
  /** Gives the channel up early: the guest is known to be dead. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds without output after the command's end that stand for the streams' end: a daemon that the command
   * left behind may hold them open for ever. Time in which `onStdout` holds stdout back does not count.
   */
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
    let last: NodeJS.Timeout | undefined;
    /** What `onStdout` makes of the last chunk. */
    let pending: Promise<void> = Promise.resolve();
    const drainMs = request.drainMs ?? DRAIN_MS;

    const settle = (how: { timedOut?: boolean; lost?: boolean; error?: unknown }): void => {
      if (settled) return;
      settled = true;
      clearTimeout(limit);
      clearTimeout(drain);
      clearTimeout(last);
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
        durationMs: performance.now() - began,
      });
    };
    const abort = (): void => settle({ lost: !exited });
    const limit = setTimeout(() => {
      if (!exited) return settle({ timedOut: true });
      // It ended in time. What we held back is still taken, but a daemon may go on writing for ever.
      void pending.then(() => {
        if (!settled) last = setTimeout(() => settle({}), drainMs);
      });
    }, request.limitMs);
    request.signal?.addEventListener('abort', abort, { once: true });
    if (request.signal?.aborted) return abort();
    void connection.ended.then(() => settle({ lost: !exited }));

    const attach = (opened: ClientChannel): void => {
      channel = opened;
      if (settled) return void opened.destroy();
      let paused = false;
      /** Only the guest's silence after the end counts: neither output on its way nor our own slowness does. */
      const awaitEnd = (): void => {
        clearTimeout(drain);
        if (exited && !paused && !settled) drain = setTimeout(() => settle({}), drainMs);
      };
      opened.on('data', (chunk: Buffer) => {
        const wait = request.onStdout?.(chunk);
        if (wait) {
          opened.pause();
          paused = true;
          pending = wait.then(
            () => {
              paused = false;
              awaitEnd();
              opened.resume();
            },
            (error: unknown) => settle({ error: error ?? new Error('stdout was refused') }),
          );
        }
        awaitEnd();
      });
      opened.stderr.on('data', (chunk: Buffer) => {
        request.onStderr?.(chunk);
        awaitEnd();
      });
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
