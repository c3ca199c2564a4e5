// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Names of the functions that fstests-overrides/common redefines, with bodies that are not upstream's. */
const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  'common/encrypt': ['_scratch_mkfs_encrypted', '_require_scratch_encryption'],
  'common/verity': ['_scratch_mkfs_encrypted_verity'],
};

export function git(dir: string, ...args: string[]): string {
  return execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8' }).trim();
}

/** A git repository with the outline of an fstests tree and nothing of its contents. Returns the commit. */
export function makeFstestsRepository(dir: string, more: Readonly<Record<string, string>> = {}): string {
  const files: Record<string, string> = {
    check: '#!/bin/sh\nexit 0\n',
    'common/rc': '',
    'tests/generic/001': '_begin_fstest auto quick\n',
    'tests/generic/595': '_begin_fstest auto quick encrypt\n',
    'tests/generic/595.out': 'QA output created by 595\n',
    'tests/ext4/024': '_begin_fstest auto encrypt\n',
    ...Object.fromEntries(
      Object.entries(FUNCTIONS).map(([file, names]) => [
        file,
        names.map((name) => `${name}()\n{\n\ttrue\n}\n`).join('\n'),
      ]),
    ),
    ...more,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), text);
  }
  chmodSync(path.join(dir, 'check'), 0o755);
  git(dir, 'init', '-q', '-b', 'master');
  git(dir, 'add', '-Af');
  git(dir, 'commit', '-q', '-m', 'Tree');
  return git(dir, 'rev-parse', 'HEAD');
}
