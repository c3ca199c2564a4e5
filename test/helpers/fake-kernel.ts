// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export function git(dir: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'init.defaultBranch=master', ...args], {
    cwd: dir,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

export function write(dir: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(dir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

export function makefile(version = '7.3.4', extra = ''): string {
  const [major, patchlevel, sublevel] = version.split('.');
  return `# SPDX-License-Identifier: GPL-2.0\nVERSION = ${major}\nPATCHLEVEL = ${patchlevel}\nSUBLEVEL = ${sublevel}\nEXTRAVERSION = ${extra}\nNAME = Test\n`;
}

/** `count` lines that differ from each other. */
export function lines(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index + 1};`);
}

/** A git repository that looks like a kernel: a Makefile, a few sources, Debian's greedy .gitignore. */
export function fakeKernel(dir: string, version = '7.3.4', extra = ''): string {
  mkdirSync(dir, { recursive: true });
  git(dir, 'init', '-q');
  write(dir, {
    Makefile: makefile(version, extra),
    '.gitignore': '/*\n',
    'fs/crypto/keyring.c': `${lines('keyring', 60).join('\n')}\n`,
    'fs/btrfs/inode.c': `${lines('inode', 60).join('\n')}\n`,
    'scripts/run me.sh': '#!/bin/sh\n',
  });
  git(dir, 'add', '-Af');
  git(dir, 'commit', '-q', '-m', `Linux ${version}${extra}`);
  return dir;
}

/** Replaces one line of a file. */
export function replaceLine(dir: string, file: string, line: number, text: string): void {
  const all = readFileSync(path.join(dir, file), 'utf8').split('\n');
  all[line - 1] = text;
  writeFileSync(path.join(dir, file), all.join('\n'));
}

/**
 * Writes three patches onto `kernel`'s HEAD into `folder`, made in a clone so that `kernel` does not change:
 * a change with two hunks, a new file, and a change on top of the first.
 */
export function writeSeries(kernel: string, folder: string, scratch: string): void {
  git(path.dirname(kernel), 'clone', '-q', kernel, scratch);
  replaceLine(scratch, 'fs/crypto/keyring.c', 10, 'first hunk;');
  replaceLine(scratch, 'fs/crypto/keyring.c', 50, 'second hunk;');
  git(scratch, 'commit', '-q', '-am', 'fscrypt: change the keyring');
  write(scratch, { 'fs/crypto/extent.c': 'extent;\n' });
  git(scratch, 'add', '-f', 'fs/crypto/extent.c');
  git(scratch, 'commit', '-q', '-m', 'fscrypt: add extents');
  replaceLine(scratch, 'fs/crypto/keyring.c', 30, 'on top;');
  git(scratch, 'commit', '-q', '-am', 'fscrypt: Zoë changes it again');
  git(scratch, 'format-patch', '-q', '--cover-letter', '-o', folder, 'HEAD~3');
}

/** Every file, folder and link below `dir`, .git included, with mode and content: for "byte for byte as before". */
export function snapshot(dir: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (relative: string): void => {
    for (const entry of readdirSync(path.join(dir, relative), { withFileTypes: true })) {
      const name = path.join(relative, entry.name);
      const full = path.join(dir, name);
      if (entry.isDirectory()) {
        found[`${name}/`] = 'folder';
        walk(name);
      } else if (entry.isSymbolicLink()) {
        found[name] = `-> ${readlinkSync(full)}`;
      } else {
        const { mode } = statSync(full);
        found[name] = `${mode.toString(8)} ${createHash('sha256').update(readFileSync(full)).digest('hex')}`;
      }
    }
  };
  walk('');
  return found;
}
