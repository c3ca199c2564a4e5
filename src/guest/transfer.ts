// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';

import { InfraError } from '../core/errors.js';
import { quoteWord, sshExec, type SshConnection, type SshExecResult } from '../ssh/index.js';
import { TarExtractor } from './tar-read.js';
import { packTar } from './tar-write.js';

function check(what: string, result: SshExecResult, stderr: string): void {
  if (result.exitCode === 0) return;
  const how = result.timedOut
    ? 'did not end in time'
    : result.exitCode === undefined
      ? `no exit status${result.signal ? ` (signal ${result.signal})` : ''}`
      : `exit ${result.exitCode}`;
  const said = stderr.trim().split('\n').at(-1);
  throw new InfraError({ subject: what, observed: said ? `${how}: ${said}` : how });
}

/** Copies a local file or folder into the guest's folder `to`, which is made. @throws InfraError */
export async function pushTar(
  connection: SshConnection,
  from: string,
  to: string,
  limitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  let stderr = '';
  const target = quoteWord(to);
  const result = await sshExec(connection, {
    command: `mkdir -p -- ${target} && exec tar -x -o -f - -C ${target}`,
    input: packTar(from),
    limitMs,
    signal,
    onStderr: (chunk) => (stderr = (stderr + chunk.toString()).slice(-2000)),
  });
  check(`copy of ${from} to the guest`, result, stderr);
}

/**
 * Copies what is in the guest's folder `from` below the host folder `to`, which is made. Nothing is ever written
 * outside of it: see TarExtractor. @throws UnsafeArchiveError, InfraError
 */
export async function pullTar(
  connection: SshConnection,
  from: string,
  to: string,
  limitBytes: number,
  limitMs: number,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  await mkdir(to, { recursive: true });
  const extractor = new TarExtractor(to, limitBytes);
  let stderr = '';
  try {
    const result = await sshExec(connection, {
      command: `exec tar -c -f - --format=gnu --hard-dereference -C ${quoteWord(from)} .`,
      limitMs,
      signal,
      onStdout: (chunk) => extractor.push(chunk),
      onStderr: (chunk) => (stderr = (stderr + chunk.toString()).slice(-2000)),
    });
    check(`copy of ${from} from the guest`, result, stderr);
    await extractor.end();
  } finally {
    await extractor.close();
  }
  return extractor.files;
}
