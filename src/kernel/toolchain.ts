// SPDX-License-Identifier: GPL-2.0-only
import { run, runOrThrow } from '../system/process.js';

/** What turns source into bytes, as far as it decides which bytes. */
export interface Toolchain {
  /** First line of `gcc --version`. */
  readonly compiler: string;
  /** First line of `ld --version`. */
  readonly linker: string;
  /** Whether ccache stands in front of the compiler. Not part of any key: it changes no byte. */
  readonly ccache: boolean;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.trim() ?? '';
}

/** Asks the tools on PATH. @throws UserError when gcc or ld is missing. */
export async function readToolchain(signal: AbortSignal): Promise<Toolchain> {
  const version = (tool: string) => runOrThrow(tool, ['--version'], { signal, env: { LC_ALL: 'C' } });
  const ccacheThere = run('ccache', ['--version'], { signal }).then(
    (result) => result.exitCode === 0,
    () => false,
  );
  const [gcc, ld, ccache] = await Promise.all([version('gcc'), version('ld'), ccacheThere]);
  return { compiler: firstLine(gcc.stdout), linker: firstLine(ld.stdout), ccache };
}
