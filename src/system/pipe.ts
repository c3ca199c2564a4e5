// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

import { InfraError, InterruptedError, UserError } from '../core/errors.js';
import { onExit } from './cleanup.js';
import { signalGroup } from './process.js';

export interface PipeOptions {
  readonly cwd?: string;
  /** The whole environment; default our own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** A stream that the program reads; default nothing. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** In error messages, instead of the command. */
  readonly subject?: string;
}

/** A running program whose output is read as it comes. */
export interface Pipe {
  readonly stdout: AsyncIterable<Buffer>;
  /**
   * Resolves when the program ended with 0 and all its input was taken. @throws InfraError for any other end,
   * with the last line of stderr; InterruptedError when the signal fired.
   */
  readonly done: Promise<void>;
  /** Ends the program; `done` then rejects. Harmless when it has ended. */
  stop(): void;
}

/** Starts a program between two streams. It ends with us, even when we are killed (setpriv, pdeathsig). */
export function openPipe(command: string, args: readonly string[], options: PipeOptions): Pipe {
  if (options.signal.aborted) throw new InterruptedError();
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: [options.input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString('utf8')).slice(-8192)));
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      signalGroup(child.pid, 'SIGTERM');
  };
  const forget = onExit(stop);
  options.signal.addEventListener('abort', stop, { once: true });
  const subject = options.subject ?? `${command} ${args[0] ?? ''}`.trim();
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', (error) =>
      reject(
        new UserError({
          subject: command,
          observed: `cannot be started: ${error.message}`,
          next: '`enokey doctor` names the package',
        }),
      ),
    );
    child.on('close', (code, by) => {
      forget();
      options.signal.removeEventListener('abort', stop);
      if (options.signal.aborted) reject(new InterruptedError());
      else if (code === 0) resolve();
      else reject(failure(command, subject, code, by, stderr));
    });
  });
  // Whoever waits for `done` sees the failure of either side; the program's own reason is the better one.
  const fed = options.input && child.stdin ? feed(options.input, child.stdin) : Promise.resolve();
  const done = Promise.allSettled([ended, fed]).then(([end, input]) => {
    if (input.status === 'rejected' && !isBrokenPipe(input.reason)) throw input.reason;
    if (end.status === 'rejected') throw end.reason;
    if (input.status === 'rejected') throw input.reason;
  });
  fed.catch(stop);
  done.catch(() => undefined);
  return { stdout: child.stdout as Readable, done, stop };
}

function failure(
  command: string,
  subject: string,
  code: number | null,
  by: string | null,
  stderr: string,
): Error {
  const said = stderr.trim().split('\n');
  // A program that meets a full disk often stumbles over the consequences last.
  const last = said.find((line) => /No space left|Disk quota/i.test(line)) ?? said.at(-1) ?? '';
  if (code === 127 && /setpriv: failed to execute/.test(stderr)) {
    return new UserError({
      subject: command,
      observed: 'not found',
      next: '`enokey doctor` names the package',
    });
  }
  return new InfraError({
    subject,
    observed: (by ? `ended by ${by}` : `exit ${code}`) + (last ? `: ${last}` : ''),
  });
}

const isBrokenPipe = (error: unknown): boolean =>
  ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes((error as NodeJS.ErrnoException).code ?? '');

/**
 * Writes all chunks, waiting whenever the other side is slower, and closes. A program that knows by itself where its
 * input ends (a pack does) may be gone before we close: that is no error once it has taken everything.
 */
async function feed(input: AsyncIterable<Uint8Array>, stdin: Writable): Promise<void> {
  let failed: Error | undefined;
  let wake: (() => void) | undefined;
  const fail = (error?: Error | null): void => {
    if (error) failed ??= error;
    wake?.();
  };
  stdin.on('error', fail);
  stdin.on('drain', () => wake?.());
  stdin.on('close', () => wake?.());
  for await (const chunk of input) {
    if (failed) throw failed;
    // The callback hears of what was still buffered when the other side went away.
    if (stdin.write(chunk, fail)) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (failed || stdin.destroyed) resolve();
    });
  }
  await new Promise<void>((resolve) => {
    wake = resolve;
    if (stdin.closed) resolve();
    // Once it is destroyed, only its close says that no callback of a write is still to come.
    else if (!stdin.destroyed) stdin.end(() => stdin.writableFinished && resolve());
  });
  if (failed) throw failed;
}
