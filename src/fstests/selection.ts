// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Context } from '../core/context.js';
import { InfraError, UserError } from '../core/errors.js';
import { applyExclusions, readExclusions, type Exclusion } from './exclusions.js';
import { exportTree } from './export.js';
import { hasTest, testsOfGroup } from './groups.js';
import { formatTestName, parseTestName, PORTED } from './names.js';
import { findMisfits, misfitError, overriddenTests, readManifest } from './overrides.js';
import { parseSource, resolveSource, UPSTREAM, type FstestsSource, type ResolvedSource } from './source.js';

/** What a run's plan keeps of fstests: enough to run the same again. */
export interface FstestsPlan {
  /** As asked for, for the command line that repeats the run; absent: upstream. */
  readonly asked?: string;
  /** At a commit, so that a resumed run does not follow a branch that has moved on. Absent where only ports run. */
  readonly source?: FstestsSource;
  readonly timeFactor: number;
  readonly excluded: readonly Exclusion[];
}

export interface SelectionOptions {
  /** Test names as the user gave them, probes among them; undefined: none was named. */
  readonly tests?: readonly string[];
  /** `encrypt`, `quick`, `ext4/encrypt` */
  readonly groups?: readonly string[];
  /** Exclusion files, absolute paths. */
  readonly exclude?: readonly string[];
  /** `DIR|URL[@REF]`, DIR absolute. */
  readonly source?: string;
  readonly timeFactor?: number;
  readonly filesystems: readonly string[];
}

export interface Selection {
  /** The names given, groups expanded, excluded ones and those that turned into ports taken care of. */
  readonly tests: readonly string[] | undefined;
  /** Those of them that fstests or a port runs. */
  readonly fstests: readonly string[];
  readonly plan?: FstestsPlan;
}

/** The source of a run: what was asked for, else upstream at the pinned commit. */
export async function findSource(context: Context, source: string | undefined): Promise<ResolvedSource> {
  return resolveSource(context, await readSource(source));
}

async function readSource(source: string | undefined): Promise<FstestsSource> {
  return source === undefined ? UPSTREAM : parseSource(source);
}

/** The manifest of the shipped overrides. */
export function manifestFile(context: Context): string {
  return path.join(context.dirs.shipped, 'fstests-overrides', 'common', 'overrides.yaml');
}

/**
 * Settles which fstests tests a run has. Nothing is fetched or exported unless one is asked for. Where no fstests was
 * asked for by name and upstream cannot be had, tests that enokey has a port of become that port, under its name;
 * any other test is then an error.
 * @throws UserError for tests, groups, overrides and exclusions that do not exist or do not fit.
 */
export async function selectFstests(context: Context, options: SelectionOptions): Promise<Selection> {
  const named = options.tests ?? [];
  const ours = named.filter((test) => parseTestName(test) !== undefined);
  const groups = options.groups ?? [];
  const exclusions = await readExclusions(options.exclude ?? []);
  if (ours.length === 0 && groups.length === 0) return { tests: options.tests, fstests: [] };
  const timeFactor = checkTimeFactor(options.timeFactor ?? 1);
  const originals = ours.filter((test) => !parseTestName(test)?.port);
  let resolved: ResolvedSource | undefined;
  let unavailable: InfraError | undefined;
  if (originals.length > 0 || groups.length > 0) {
    try {
      resolved = await findSource(context, options.source);
    } catch (error) {
      const portable = groups.length === 0 && originals.every((test) => PORTED.includes(test));
      if (options.source !== undefined || !portable || !(error instanceof InfraError)) throw error;
      unavailable = error;
    }
  }
  const expanded = resolved
    ? await expand(context, resolved, options, named, groups)
    : named.map((test) => (PORTED.includes(test) ? formatTestName({ id: test, port: true }) : test));
  if (unavailable) {
    context.emit({
      type: 'note',
      level: 'warn',
      text: `${unavailable.message}; ${originals.join(', ')} runs as ${originals.map((test) => `${test} (port)`).join(', ')}`,
    });
  }
  const { run, excluded } = applyExclusions([...new Set(expanded)], exclusions);
  for (const { test, reason, from } of excluded) {
    context.emit({ type: 'note', level: 'info', text: `${test} is excluded: ${reason} (${from})` });
  }
  if (run.length === 0) {
    throw new UserError({
      subject: 'tests',
      observed: `all ${excluded.length} are excluded`,
      expected: 'at least one to run',
    });
  }
  return {
    tests: run,
    fstests: run.filter((test) => parseTestName(test) !== undefined),
    plan: {
      asked: options.source,
      ...(resolved ? { source: { ...(await readSource(options.source)), ref: resolved.commit } } : {}),
      timeFactor,
      excluded,
    },
  };
}

function checkTimeFactor(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new UserError({
    subject: '--time-factor',
    observed: String(value),
    expected: 'a whole number, 1 to 1000',
  });
}

/** Names with groups expanded; every original test checked against the tree, in the order given. */
async function expand(
  context: Context,
  resolved: ResolvedSource,
  options: SelectionOptions,
  named: readonly string[],
  groups: readonly string[],
): Promise<string[]> {
  const { tree } = await exportTree(context, resolved);
  const overridesDir = path.join(context.dirs.shipped, 'fstests-overrides');
  const overridden = await overriddenTests(overridesDir);
  for (const test of named) {
    const name = parseTestName(test);
    if (!name || name.port) continue;
    if (!(await hasTest(tree, name.id))) {
      throw new UserError({
        subject: `test ${test}`,
        observed: `fstests ${resolved.name} has no ${name.id}`,
        next: '`enokey fstests --list encrypt` lists a group',
      });
    }
    if (name.override && !overridden.get(name.override)?.includes(name.id)) {
      const have = [...overridden].flatMap(([folder, ids]) => ids.map((id) => `${id} [${folder}]`));
      throw new UserError({
        subject: `test ${test}`,
        observed: `fstests-overrides/${name.override}/tests has no ${name.id}`,
        expected: have.length > 0 ? `one of ${have.join(', ')}` : 'a folder with that test',
      });
    }
  }
  const fromGroups: string[] = [];
  for (const group of groups) {
    for (const filesystem of options.filesystems) {
      fromGroups.push(...(await testsOfGroup(tree, group, filesystem)).map((test) => test.id));
    }
  }
  if (options.filesystems.includes('btrfs')) {
    const file = manifestFile(context);
    const misfits = await findMisfits(await readManifest(file), tree);
    if (misfits.length > 0) throw misfitError(misfits, resolved.commit, file);
  }
  return [...named, ...fromGroups];
}
