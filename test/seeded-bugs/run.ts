// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

import { readJournal } from '../../src/run/journal.js';
import type { Bug } from './bug.js';
import { seenInCell, seenInReport, type Assertion, type Seen } from './verdict.js';

/** Larger files of a cell are not searched: what a kernel says is small. */
const SEARCH_LIMIT = 16 * 1024 * 1024;

export interface RunOptions {
  readonly repository: string;
  /** `--fstests` of enokey; absent: its default. */
  readonly fstests?: string;
  /** Words before every command: `nice`, or a program that waits for its turn. */
  readonly under?: readonly string[];
}

/** Runs a program with its output on stderr, and gives its exit status. */
async function run(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
  process.stderr.write(`+ ${argv.join(' ')}\n`);
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 2, 2],
  });
  return new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
}

/** True if a file below the folder contains the text. */
function contains(folder: string, text: string): boolean {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) => {
    const file = path.join(entry.parentPath, entry.name);
    return entry.isFile() && statSync(file).size < SEARCH_LIMIT && readFileSync(file).includes(text);
  });
}

/**
 * Runs what a bug names on the kernel of `variant` in a new folder `dir`, and says what was seen.
 * @throws when the machinery fails: a kernel that does not build, a patch that does not apply.
 */
export async function runTest(
  bug: Bug,
  variant: string,
  config: string,
  dir: string,
  options: RunOptions,
): Promise<Seen> {
  return 'test' in bug
    ? runCell(bug, variant, config, dir, options)
    : runEndToEnd(bug, variant, config, dir, options);
}

async function runCell(
  bug: Bug & { readonly test: string },
  variant: string,
  config: string,
  dir: string,
  { repository, fstests, under = [] }: RunOptions,
): Promise<Seen> {
  const argv = [
    process.execPath,
    path.join(repository, 'bin/run.js'),
    'test',
    variant,
    bug.test,
    '--fs',
    'btrfs',
  ];
  argv.push('-n', '1', '--quick', '--profile', bug.profile, '--run', dir, '--config', config);
  if (fstests !== undefined && !bug.test.startsWith('probe/')) argv.push('--fstests', fstests);
  const status = await run([...under, ...argv], repository);
  const { results } = await readJournal(path.join(dir, 'journal.jsonl'));
  const [cell] = results;
  // 1 is a result that is not as contracted, which is what most of these runs are for.
  if ((status !== 0 && status !== 1) || !cell)
    throw new Error(`${variant}: enokey test: exit ${status}, no result`);
  return seenInCell(cell, (text) => contains(path.join(dir, cell.files), text));
}

interface VitestReport {
  readonly testResults: readonly { readonly assertionResults: readonly Assertion[] }[];
}

async function runEndToEnd(
  bug: Bug & { readonly e2e: { readonly file: string; readonly tests: string } },
  variant: string,
  config: string,
  dir: string,
  { repository, under = [] }: RunOptions,
): Promise<Seen> {
  const report = path.join(dir, 'report.json');
  const argv = ['npx', 'vitest', 'run', '--project', 'e2e', `test/e2e/${bug.e2e.file}`, '-t', bug.e2e.tests];
  const instead = { ENOKEY_E2E_CONFIG: config, ENOKEY_E2E_INSTEAD: `${bug.variant}=${variant}` };
  const status = await run(
    [...under, ...argv, '--reporter=json', `--outputFile=${report}`],
    repository,
    instead,
  );
  if (!existsSync(report)) throw new Error(`${variant}: vitest: exit ${status}, no report`);
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  return seenInReport(testResults.flatMap(({ assertionResults }) => assertionResults));
}
