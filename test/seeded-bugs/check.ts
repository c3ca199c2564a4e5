// SPDX-License-Identifier: GPL-2.0-only
// The program behind scripts/check-seeded-bugs, which describes it.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { readYaml } from '../../src/config/yaml.js';
import { EnokeyError } from '../../src/core/errors.js';
import { readBugs, selectBugs, testOf, type Bug } from './bug.js';
import { runTest, type RunOptions } from './run.js';
import { settingsWith, type Shipped } from './settings.js';
import { table, type Row } from './table.js';
import { judgeBug, type Seen } from './verdict.js';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');
const BUGS = import.meta.dirname;
const PATCHES = path.join(REPOSITORY, 'patches');

class Usage extends Error {}

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        dir: { type: 'string' },
        fstests: { type: 'string' },
        list: { type: 'boolean' },
        markdown: { type: 'boolean' },
        under: { type: 'string' },
      },
    });
  } catch (error) {
    throw new Usage((error as Error).message);
  }
}

/** Controls that were run: the same test on the same kernel is asked once. */
const controls = new Map<string, Seen>();

async function check(bug: Bug, shipped: Shipped, dir: string, where: RunOptions): Promise<Row> {
  const config = path.join(dir, `${bug.name}.yaml`);
  writeFileSync(config, settingsWith(bug, shipped, { patches: PATCHES, bugs: BUGS }));
  const fresh = (name: string): string => {
    const made = mkdtempSync(path.join(dir, `${name}-`));
    return path.join(made, 'run');
  };
  const key = JSON.stringify([bug.variant, bug.profile, 'test' in bug ? [bug.test, bug.args] : bug.e2e]);
  let control = controls.get(key);
  if (!control) {
    control = await runTest(bug, bug.variant, config, fresh(`control-${bug.variant}`), where);
    controls.set(key, control);
  }
  const seen = await runTest(bug, bug.name, config, fresh(bug.name), where);
  const { caught, text } = judgeBug(bug, control, seen);
  return {
    bug: bug.patch,
    variant: bug.variant,
    profile: bug.profile,
    test: testOf(bug),
    caught,
    seen: text,
  };
}

async function main(): Promise<number> {
  const { values, positionals } = options();
  const shipped = (await readYaml(path.join(PATCHES, 'variants.yaml'))) as Shipped;
  const all = await readBugs(path.join(BUGS, 'bugs.yaml'), Object.keys(shipped.variants));
  let bugs;
  try {
    bugs = selectBugs(all, positionals);
  } catch (error) {
    throw new Usage((error as Error).message);
  }
  if (values.list) {
    for (const bug of bugs) process.stdout.write(`${bug.patch}  ${bug.profile}  ${testOf(bug)}\n`);
    return 0;
  }
  const dir = path.resolve(values.dir ?? mkdtempSync(path.join(tmpdir(), 'seeded-bugs-')));
  mkdirSync(dir, { recursive: true });
  const where = { repository: REPOSITORY, fstests: values.fstests, under: values.under?.split(' ') };
  const rows: Row[] = [];
  for (const bug of bugs) {
    let row: Row;
    try {
      row = await check(bug, shipped, dir, where);
    } catch (error) {
      // One kernel that does not build must not hide what the others show.
      const seen = `not run: ${(error as Error).message}`;
      row = {
        bug: bug.patch,
        variant: bug.variant,
        profile: bug.profile,
        test: testOf(bug),
        caught: false,
        seen,
      };
    }
    rows.push(row);
    process.stderr.write(`${row.caught ? 'caught' : 'NOT CAUGHT'}: ${row.bug}: ${row.seen}\n`);
  }
  process.stdout.write(table(rows, values.markdown ?? false));
  process.stderr.write(`runs are in ${dir}\n`);
  return rows.every((row) => row.caught) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`check-seeded-bugs: ${(error as Error).message}\n`);
  process.exitCode = error instanceof Usage ? 2 : error instanceof EnokeyError ? error.exitCode : 70;
}
