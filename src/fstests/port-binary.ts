// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { step } from '../core/events.js';
import { InfraError } from '../core/errors.js';
import { exists, makeDirectoryAtomic } from '../system/files.js';
import { withLock } from '../system/lock.js';
import { run, runOrThrow } from '../system/process.js';

export const PORT_PROGRAM = 'generic-595';
const SOURCES = [`${PORT_PROGRAM}.c`, 'Makefile'];

/** The static program of the port on the host. */
export interface PortBinary {
  /** Hex SHA-256 of sources and compiler. */
  readonly key: string;
  readonly file: string;
}

/** The port from the cache, compiled when its source or the compiler changed. @throws UserError, InfraError */
export async function ensurePortBinary(context: Context): Promise<PortBinary> {
  const from = path.join(context.dirs.shipped, 'vm', 'port');
  const version = await runOrThrow('cc', ['--version'], { signal: context.signal });
  const hash = createHash('sha256').update(version.stdout.split('\n', 1)[0] ?? '');
  for (const name of SOURCES) hash.update(await readFile(path.join(from, name)));
  const key = hash.digest('hex');
  const store = path.join(context.dirs.cache, 'port');
  const dir = path.join(store, key.slice(0, 32));
  const binary: PortBinary = { key, file: path.join(dir, PORT_PROGRAM) };
  if (await exists(binary.file)) return binary;
  return withLock(path.join(store, 'lock'), 'compile the port of generic/595', context.signal, async () => {
    if (await exists(binary.file)) return binary;
    await step(context.emit, 'port.build', 'Compile the port of generic/595', () =>
      makeDirectoryAtomic(dir, async (part) => {
        const source = path.join(part, 'source');
        await mkdir(source);
        for (const name of SOURCES) await copyFile(path.join(from, name), path.join(source, name));
        const log = path.join(store, 'build.log');
        const made = await run('make', ['-C', source], { signal: context.signal, logFile: log });
        if (made.exitCode !== 0) {
          const first = made.stderr
            .split('\n')
            .find((line) => /error|undefined reference|not found/.test(line));
          throw new InfraError({
            subject: 'the port of generic/595',
            observed: `does not compile: ${first ?? `make exit ${made.exitCode}`}`,
            expected: 'a C compiler that can link statically',
            next: '`enokey doctor` says what is missing',
            log,
          });
        }
        await copyFile(path.join(source, PORT_PROGRAM), path.join(part, PORT_PROGRAM));
        await rm(source, { recursive: true });
      }),
    );
    return binary;
  });
}
