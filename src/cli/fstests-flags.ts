// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Flags } from '@oclif/core';

import type { Settings } from '../config/types.js';
import type { Context } from '../core/context.js';
import type { Selection } from '../fstests/selection.js';
import { isUrl } from '../fstests/url.js';
import type { RestatedFstests } from '../run/resume.js';

export const fstestsFlag = Flags.string({
  summary: 'fstests to use: a checkout or a repository, at HEAD or REF (default: upstream, pinned)',
  helpValue: 'DIR|URL[@REF]',
});

/** Flags of the commands that run tests, for those of fstests. */
export const fstestsFlags = {
  fstests: fstestsFlag,
  group: Flags.string({
    char: 'g',
    multiple: true,
    summary: 'All tests of a group of fstests: encrypt, quick, ext4/encrypt',
    helpValue: 'GROUP',
  }),
  exclude: Flags.string({
    multiple: true,
    summary: 'File with tests not to run, one a line with its reason: generic/368  # needs wrapped keys',
    helpValue: 'FILE',
  }),
  'time-factor': Flags.integer({
    summary: "fstests' TIME_FACTOR: how much longer stress phases last (default 1)",
    helpValue: 'N',
  }),
};

/** The flag, else enokey.yaml; a folder made absolute, relative to the current one. */
export function resolveFstestsFlag(
  flag: string | undefined,
  settings: Settings,
  cwd: string,
): string | undefined {
  return flag === undefined ? settings.fstests : absoluteSource(flag, cwd);
}

function absoluteSource(flag: string, cwd: string): string {
  return isUrl(flag) ? flag : path.resolve(cwd, flag);
}

interface FstestsFlagValues {
  readonly fs?: string;
  readonly fstests?: string;
  readonly group?: string[];
  readonly exclude?: string[];
  readonly 'time-factor'?: number;
}

/** What the flags say of a run that is resumed: of that, enokey.yaml decides nothing any more. */
export function restatedFstests(flags: FstestsFlagValues, cwd: string): RestatedFstests {
  return {
    source: flags.fstests === undefined ? undefined : absoluteSource(flags.fstests, cwd),
    timeFactor: flags['time-factor'],
    groups: flags.group,
    exclude: flags.exclude,
  };
}

/**
 * The tests that a command line asks for, groups of fstests expanded. Without any name or group and with an fstests
 * of the user's (flag or enokey.yaml), generic/595 joins the probes.
 */
export async function selectTestsOfFlags(
  context: Context,
  settings: Settings,
  flags: FstestsFlagValues,
  asked: { readonly tests?: readonly string[]; readonly variants: readonly string[]; readonly cwd: string },
): Promise<Selection> {
  const { selectFstests } = await import('../fstests/selection.js');
  const source = resolveFstestsFlag(flags.fstests, settings, asked.cwd);
  const named = asked.tests ?? settings.tests;
  const byDefault = named === undefined && flags.group === undefined && source !== undefined;
  const filesystems = new Set(flags.fs?.split(',').map((name) => name.trim()) ?? settings.filesystems);
  if (filesystems.size === 0) {
    for (const name of asked.variants)
      for (const filesystem of (await settings.resolve(name)).filesystems) filesystems.add(filesystem);
  }
  return selectFstests(context, {
    tests: byDefault ? ['probes', 'generic/595'] : named,
    groups: flags.group,
    exclude: flags.exclude?.map((file) => path.resolve(asked.cwd, file)),
    source,
    timeFactor: flags['time-factor'],
    filesystems: [...filesystems],
  });
}
