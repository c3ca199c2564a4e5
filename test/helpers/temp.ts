// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * A folder that goes when the test ends. Its name has a space: paths with spaces must work everywhere. `start` is for
 * what cannot take one.
 */
export function tempDir(label = 'test', start = 'enokey '): string {
  const dir = mkdtempSync(path.join(tmpdir(), `${start}${label}-`));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
