// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';

import { UserError } from '../core/errors.js';
import type { Git } from '../system/git.js';
import type { PatchFile } from './collect.js';
import { parsePatchMail, type PatchMail } from './patch.js';

/** A patch that was read and whose diff git can parse. */
export interface Patch extends PatchFile, PatchMail {
  readonly mail: Buffer;
}

/**
 * Reads each patch and has git check its diff, without any tree.
 * @param git any repository of ours
 * @throws UserError that names the patch, and the line where its diff is damaged.
 */
export async function inspectPatches(git: Git, files: readonly PatchFile[]): Promise<Patch[]> {
  const patches: Patch[] = [];
  for (const file of files) patches.push(await inspectPatch(git, file));
  return patches;
}

async function inspectPatch(git: Git, file: PatchFile): Promise<Patch> {
  const subject = `patch ${file.name}`;
  let mail: Buffer;
  try {
    mail = await readFile(file.path);
  } catch (error) {
    throw new UserError({
      subject,
      observed: `${file.path} cannot be read: ${(error as NodeJS.ErrnoException).code}`,
      cause: error,
    });
  }
  const text = mail.toString('utf8');
  if (
    !/^(?:From |[A-Za-z][A-Za-z0-9-]*:[ \t])/.test(text) ||
    !/^From: /m.test(text) ||
    !/^Subject: /m.test(text)
  ) {
    throw new UserError({
      subject,
      observed: 'is not a patch mail',
      expected: 'From, Date and Subject, as git format-patch writes them',
      next: `look at ${file.path}`,
    });
  }
  // --numstat only parses; -p1 and the rest are as git am uses them.
  const check = await git.run(['apply', '--numstat', file.path]);
  if (check.exitCode !== 0) {
    const said = /^error: (.*)$/m.exec(check.stderr)?.[1] ?? check.stderr.trim();
    const line = /(?:at|on) (?:line |.*:)(\d+)/.exec(said)?.[1];
    const empty = /No valid patches in input/.test(said);
    throw new UserError({
      subject,
      observed: empty ? 'has no diff' : `is damaged${line ? ` at line ${line}` : ''}: ${said}`,
      next: empty
        ? `look at ${file.path}`
        : `look at ${file.path}; mailers that wrap lines or change tabs do this`,
    });
  }
  return { ...file, ...parsePatchMail(text), mail };
}
