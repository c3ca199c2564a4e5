// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream, type WriteStream } from 'node:fs';
import path from 'node:path';
import { execa, ExecaError, type ResultPromise } from 'execa';

import { InfraError, InterruptedError, UserError } from '../core/errors.js';
import { onExit } from './cleanup.js';
import { diskError } from './files.js';

export interface RunOptions {
  readonly cwd?: string;
  /** Added to (or, with `cleanEnv`, instead of) our own environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cleanEnv?: boolean;
  readonly input?: string | Uint8Array;
  /** Ends the whole process group: SIGTERM, then SIGKILL after `graceMs`. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly graceMs?: number;
  /** Both streams go here as they come, unbounded; memory keeps only the tail. */
  readonly logFile?: string;
  /** Called with every line of either stream, without its newline. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Bytes of each stream to keep in the result; the head is dropped beyond that. Default 8 MiB. */
  readonly keepBytes?: number;
  /** The end of stdio is the terminal of the user (interactive shells, pagers). */
  readonly inherit?: boolean;
}

export interface RunResult {
  readonly command: string;
  /** undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly durationMs: number;
  /** The program failed, and its log could not be written to the end: why. */
  readonly logError?: Error;
}

const DEFAULT_KEEP = 8 * 1024 * 1024;

/** Keeps the last `limit` bytes of a stream of chunks. */
export class Tail {
  private chunks: Buffer[] = [];
  private size = 0;
  constructor(private readonly limit: number) {}
  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    while (this.chunks.length > 1 && this.size - (this.chunks[0]?.length ?? 0) >= this.limit) {
      this.size -= this.chunks.shift()?.length ?? 0;
    }
  }
  toString(): string {
    const all = Buffer.concat(this.chunks);
    return (all.length > this.limit ? all.subarray(all.length - this.limit) : all).toString('utf8');
  }
}

export function splitLines(onLine: (line: string) => void): {
  push: (chunk: Buffer) => void;
  end: () => void;
} {
  const decoder = new TextDecoder();
  let rest = '';
  const drain = (): void => {
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    // A line without an end must not eat memory.
    if (rest.length > 1_000_000) {
      onLine(rest);
      rest = '';
    }
  };
  return {
    push(chunk) {
      rest += decoder.decode(chunk, { stream: true });
      drain();
    },
    end() {
      rest += decoder.decode();
      drain();
      if (rest) onLine(rest);
    },
  };
}

/** Sends a signal to a whole process group; true when there was one. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * setpriv(1) from util-linux gives the child a parent-death signal, so that even our SIGKILL ends it. make,
 * mmdebstrap and QEMU pass SIGTERM on to their own children.
 */
function withParentDeathSignal(command: string, args: readonly string[]): [string, string[]] {
  return ['setpriv', ['--pdeathsig', 'TERM', '--', command, ...args]];
}

/** Ends a log and waits until all of it is written, or nothing more can be. */
async function endLog(log: WriteStream | undefined): Promise<void> {
  if (!log || log.closed) return;
  await new Promise<void>((resolve) => {
    log.once('close', () => resolve());
    log.end();
  });
}

/**
 * Runs a program in a process group of its own and waits for its end. Never throws for a non-zero exit: see
 * `runOrThrow`. Grandchildren do not outlive it: the group is signalled when it ends early.
 * @throws UserError when the program is not installed, InterruptedError when `signal` fired, InfraError when all went
 * well but for a full disk that did not take the log.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  if (options.signal?.aborted) throw new InterruptedError();
  const began = performance.now();
  const keep = options.keepBytes ?? DEFAULT_KEEP;
  const [file, argv] = options.inherit ? [command, [...args]] : withParentDeathSignal(command, args);
  const child: ResultPromise = execa(file, argv, {
    cwd: options.cwd,
    env: options.env as Record<string, string>,
    extendEnv: !options.cleanEnv,
    ...(options.input === undefined
      ? { stdin: options.inherit ? 'inherit' : 'ignore' }
      : { input: options.input }),
    stdout: options.inherit ? 'inherit' : 'pipe',
    stderr: options.inherit ? 'inherit' : 'pipe',
    buffer: false,
    reject: false,
    detached: !options.inherit,
    cleanup: false,
    encoding: 'buffer',
  } as const);

  const log = options.logFile ? createWriteStream(options.logFile, { flags: 'a' }) : undefined;
  let logError: Error | undefined;
  log?.on('error', (error) => (logError ??= error));
  const tails = { stdout: new Tail(keep), stderr: new Tail(keep) };
  const splitters = (['stdout', 'stderr'] as const).map((name) => {
    const stream = child[name] as NodeJS.ReadableStream | null;
    const lines = splitLines((line) => options.onLine?.(line, name));
    stream?.on('data', (chunk: Buffer) => {
      tails[name].push(chunk);
      log?.write(chunk);
      lines.push(chunk);
    });
    return lines;
  });

  const { pid } = child;
  let timedOut = false;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (pid === undefined) return;
    signalGroup(pid, 'SIGTERM');
    killTimer ??= setTimeout(() => signalGroup(pid, 'SIGKILL'), options.graceMs ?? 5000);
  };
  const forget = onExit(async () => {
    end();
    await Promise.race([child.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 7000))]);
  });
  options.signal?.addEventListener('abort', end, { once: true });
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          end();
        }, options.timeoutMs);
  try {
    const result = await child;
    for (const splitter of splitters) splitter.end();
    if (options.signal?.aborted) throw new InterruptedError();
    const spawned = result as unknown as { code?: string };
    // setpriv reports a missing program itself, with exit 127 as a shell does.
    if (
      spawned.code === 'ENOENT' ||
      (result.exitCode === 127 && /setpriv: failed to execute/.test(tails.stderr.toString()))
    ) {
      throw new UserError({
        subject: spawned.code === 'ENOENT' ? file : command,
        observed: 'not found or not executable',
        next: '`enokey doctor` says what is missing and the package command that mends it',
      });
    }
    await endLog(log);
    const logLost = logError && (diskError(logError, path.dirname(options.logFile ?? '')) as Error);
    // What the program itself says of its failure (a full disk, often) is worth more than the loss of its log.
    const failed = result.exitCode !== 0 || timedOut;
    if (logLost && !failed) throw logLost;
    return {
      command: [command, ...args].join(' '),
      exitCode: result.exitCode,
      signal: result.signal,
      stdout: tails.stdout.toString(),
      stderr: tails.stderr.toString(),
      timedOut,
      durationMs: performance.now() - began,
      ...(logLost !== undefined && { logError: logLost }),
    };
  } finally {
    clearTimeout(timer);
    // What the program left in its group (daemons, jobs in the background) ends with it.
    if (pid !== undefined && !options.inherit) signalGroup(pid, 'SIGKILL');
    clearTimeout(killTimer);
    options.signal?.removeEventListener('abort', end);
    forget();
    await endLog(log);
  }
}

/** Like `run`, but a non-zero exit, a signal or a timeout is an InfraError with the last lines of stderr. */
export async function runOrThrow(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await run(command, args, options);
  if (result.exitCode === 0 && !result.timedOut) return result;
  const how = result.timedOut
    ? `ran into its limit of ${options.timeoutMs} ms`
    : result.signal
      ? `ended by ${result.signal}`
      : `exit ${result.exitCode}`;
  const last = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join(' | ');
  throw new InfraError({
    subject: `${command} ${args[0] ?? ''}`.trim(),
    observed: last ? `${how}: ${last}` : how,
    log: options.logFile,
  });
}

export { ExecaError };
