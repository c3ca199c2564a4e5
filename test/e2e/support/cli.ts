// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import path from 'node:path';

import { REPOSITORY } from './context.js';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly done: Promise<CliResult>;
  readonly pid: number;
  /** What it has said on stderr so far. */
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the program from its sources, as a user would, in a process of its own. */
export function startEnokey(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCli {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', path.join(REPOSITORY, 'bin', 'dev.js'), ...args],
    {
      cwd: REPOSITORY,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    done: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
    }),
    pid: child.pid ?? 0,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
  };
}

export function enokey(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult> {
  return startEnokey(args, env).done;
}
