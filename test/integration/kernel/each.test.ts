// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadSettings } from '../../../src/config/index.js';
import { buildAll, type BuildReport } from '../../../src/kernel/series.js';
import { testContext, type TestContext } from '../../helpers/context.js';
import { commit, fakeFragments, fakeKbuild } from '../../helpers/fake-kbuild.js';
import { git, write } from '../../helpers/fake-kernel.js';
import { tempDir } from '../../helpers/temp.js';

let dir: string;
let tree: string;
let build: string;
let context: TestContext;

beforeEach(() => {
  dir = tempDir('each');
  tree = fakeKbuild(path.join(dir, 'linux'));
  build = mkdtempSync(path.join(tmpdir(), 'enokey-kbuild-'));
  const made = testContext({
    dir: path.join(dir, 'enokey'),
    shipped: fakeFragments(path.join(dir, 'shipped')),
  });
  // make takes no folder with a space, as tempDir makes them.
  context = { ...made, dirs: { ...made.dirs, build } };
});
afterEach(() => rmSync(build, { recursive: true, force: true }));

/** A series in the folder `name`: one patch a version of b.c; the tree stays as it was. */
function series(name: string, ...versions: readonly string[]): void {
  git(tree, 'checkout', '-q', '-b', name);
  for (const [index, body] of versions.entries()) {
    write(tree, { 'b.c': `int b(void) { ${body} }\n` });
    commit(tree, `${name} ${index + 1}`);
  }
  git(tree, 'format-patch', '-q', '-o', path.join(dir, name), `-${versions.length}`);
  git(tree, 'checkout', '-q', '-');
}

async function each(yaml: string, name: string): Promise<BuildReport[]> {
  writeFileSync(path.join(dir, 'enokey.yaml'), yaml);
  const settings = await loadSettings({
    cwd: dir,
    packageRoot: path.resolve(import.meta.dirname, '../../..'),
  });
  const resolve = (asked: string): ReturnType<typeof settings.resolve> => settings.resolve(asked);
  return buildAll(context, { names: [name], resolve, each: true, profile: 'default', tree });
}

const BASE = 'bases: {mybase: {version: "7.3", series: base}}\n';

describe('a build after each patch', () => {
  it('of a variant without patches of its own goes through the base series', async () => {
    series('base', 'return 2;', 'return 3;', 'return 4;');
    const reports = await each(`${BASE}variants: {mine: {base: mybase, title: x}}`, 'mine');
    expect(reports.map(({ variant, state }) => [variant, state])).toEqual([
      ['mine@1', 'built'],
      ['mine@2', 'built'],
      ['mine@3', 'built'],
    ]);
    expect(new Set(reports.map(({ artifact }) => artifact?.key)).size).toBe(3);
  });

  it('names the patch that does not compile, although the next one mends it', async () => {
    series('own', 'return 2;', 'return gone;', 'return 4;');
    await expect(
      each('variants: {mine: {base: v7.3, title: x, series: own, withBase: false}}', 'mine'),
    ).rejects.toThrow(/^b\.c:1: building mine@2 \(default\): .*gone.* undeclared/);
  });
});
