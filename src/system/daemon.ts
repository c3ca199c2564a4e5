// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';

import { InfraError, UserError } from '../core/errors.js';
import { identify, isAlive, type ProcessIdentity } from './identity.js';

export interface DaemonOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Gets stdout and stderr, appended. */
  readonly outputFile: string;
  /** The program goes on when we end. Without it even our SIGKILL ends it (parent-death signal). */
  readonly outlive: boolean;
}

export interface Exit {
  /** undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** A program that runs beside us, in a session of its own: the terminal's Ctrl-C does not reach it. */
export interface Daemon {
  readonly identity: ProcessIdentity;
  /** Settles when it ended. */
  readonly exited: Promise<Exit>;
}

/**
 * Starts a program without waiting for its end. Its output goes to a file, so that nothing of ours keeps it alive
 * or is kept alive by it.
 * @throws UserError when it is not installed; InfraError when it ended at once (too early to be identified).
 */
export async function startDaemon(
  command: string,
  args: readonly string[],
  options: DaemonOptions,
): Promise<Daemon> {
  const file = options.outlive ? command : 'setpriv';
  const argv = options.outlive ? [...args] : ['--pdeathsig', 'KILL', '--', command, ...args];
  const output = await open(options.outputFile, 'a');
  try {
    // Not execa: the streams have to be the file itself, since a pipe would end with us.
    const child = spawn(file, argv, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', output.fd, output.fd],
      detached: true,
    });
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => child.once('error', resolve));
    const exited = new Promise<Exit>((resolve) =>
      child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined })),
    );
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (!identity) {
      const end = await Promise.race([failed, exited]);
      if ('syscall' in end && end.code === 'ENOENT') {
        throw new UserError({
          subject: file,
          observed: 'not found or not executable',
          next: '`enokey doctor` says what is missing and the package command that mends it',
        });
      }
      throw new InfraError({
        subject: command,
        observed: end instanceof Error ? end.message : `ended at once: exit ${end.code ?? end.signal}`,
      });
    }
    if (options.outlive) child.unref();
    return { identity, exited };
  } finally {
    await output.close();
  }
}

/** Sends a signal to exactly this process; false when it does not live any more. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Waits until the process is gone. False when it still lives after `limitMs`. */
export async function waitForEnd(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs;
  while (isAlive(identity)) {
    if (performance.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** Ends a process for certain: SIGTERM, SIGKILL after `graceMs` (a stopped process gets the latter only). */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (!signalProcess(identity, 'SIGTERM')) return;
  if (await waitForEnd(identity, graceMs)) return;
  signalProcess(identity, 'SIGKILL');
  await waitForEnd(identity, 5000);
}
