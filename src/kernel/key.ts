// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';

import type { Request } from './fragment.js';
import type { Toolchain } from './toolchain.js';

/** Raised when enokey builds differently from the same input: other make arguments, other environment. */
export const RECIPE_VERSION = 2;

/** Hex SHA-256 over the parts, each with its length, so that no two lists of parts give one text. */
function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}\n`).update(part);
  return hash.digest('hex');
}

export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Key of a final .config: what Kconfig reads is the tree, the requests, and what the tools can do. `tree` is the
 * tree's id, or what `configSources` says of it, by which trees with other code find the same .config.
 */
export function configKey(tree: string, requests: readonly Request[], tools: Toolchain): string {
  const asked = requests.map(({ symbol, value }) => `${symbol}=${value}`).join('\n');
  return digest(['config', String(RECIPE_VERSION), tree, asked, tools.compiler, tools.linker]);
}

/** Content key of an artifact. `release` is in it since it is in the bytes. */
export function artifactKey(treeId: string, finalConfig: string, release: string, tools: Toolchain): string {
  return digest([
    'artifact',
    String(RECIPE_VERSION),
    treeId,
    finalConfig,
    release,
    tools.compiler,
    tools.linker,
  ]);
}
