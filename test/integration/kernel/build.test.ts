// SPDX-License-Identifier: GPL-2.0-only
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Variant } from '../../../src/config/types.js';
import { EnokeyError, InfraError, InterruptedError, UserError } from '../../../src/core/errors.js';
import { buildKernel, findKernel, type BuildOptions } from '../../../src/kernel/build.js';
import { tryLock } from '../../../src/system/lock.js';
import { buildFolder, buildLock, OUTPUT } from '../../../src/tree/worktree.js';
import { testContext, type TestContext } from '../../helpers/context.js';
import { commit, fakeFragments, fakeKbuild } from '../../helpers/fake-kbuild.js';
import { write } from '../../helpers/fake-kernel.js';
import { tempDir } from '../../helpers/temp.js';
import { until } from '../../helpers/until.js';

let dir: string;
let tree: string;
let build: string;
let context: TestContext;

beforeEach(() => {
  dir = tempDir('kernel');
  tree = fakeKbuild(path.join(dir, 'linux'));
  fakeFragments(path.join(dir, 'shipped'));
  build = mkdtempSync(path.join(tmpdir(), 'enokey-kbuild-'));
  context = enokey('enokey');
});
afterEach(() => rmSync(build, { recursive: true, force: true }));

/** A world of its own. make takes no folder with a space, as tempDir makes them: see Dirs.build. */
function enokey(name: string): TestContext {
  const made = testContext({ dir: path.join(dir, name), shipped: path.join(dir, 'shipped') });
  return { ...made, dirs: { ...made.dirs, build: path.join(build, name) } };
}

function variant(name = 'stock'): Variant {
  return {
    name,
    base: { name: 'v7.3', version: '7.3' },
    title: name,
    series: [],
    mountOptions: {},
    kernelArgs: [],
    filesystems: ['ext4'],
    contract: {},
    definedIn: 'test',
  };
}

function options(more: Partial<BuildOptions> = {}): BuildOptions {
  return { variant: variant(), profile: 'default', tree, ...more };
}

async function refused(more: Partial<BuildOptions> = {}): Promise<EnokeyError> {
  const reason: unknown = await buildKernel(context, options(more)).then(
    () => Promise.reject(new Error('was built')),
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(EnokeyError);
  expect((reason as Error).message).not.toContain('\n');
  return reason as EnokeyError;
}

const artifacts = (): string[] =>
  existsSync(path.join(context.dirs.cache, 'artifacts'))
    ? readdirSync(path.join(context.dirs.cache, 'artifacts'))
    : [];

describe('a build', () => {
  it('stores kernel, configuration, map, log and manifest, and finds them the next time', async () => {
    const first = await buildKernel(context, options());
    expect(first.fromStore).toBe(false);
    expect(first.artifact.release).toMatch(/^7\.3\.4-enokey-stock-[0-9a-f]{12}$/);
    expect(first.artifact.buildId).toMatch(/^[0-9a-f]{40}$/);
    for (const file of ['vmlinux', 'config', 'systemMap', 'log'] as const) {
      expect(existsSync(first.artifact[file])).toBe(true);
    }
    expect(readFileSync(first.artifact.config, 'utf8')).toContain('CONFIG_CHILD=y');
    const second = await buildKernel(context, options());
    expect(second).toMatchObject({ fromStore: true, objects: 0, artifact: first.artifact });
    expect(await findKernel(context, options())).toEqual(first.artifact);
    expect(artifacts()).toEqual([first.artifact.key]);
  });

  it('gives the same bytes in another cache', async () => {
    const first = await buildKernel(context, options());
    const elsewhere = enokey('a-longer-name');
    const second = await buildKernel(elsewhere, options());
    expect(second.artifact.key).toBe(first.artifact.key);
    expect(readFileSync(second.artifact.vmlinux).equals(readFileSync(first.artifact.vmlinux))).toBe(true);
  });

  it('of a changed tree compiles only what changed, and keeps both artifacts', async () => {
    await buildKernel(context, options());
    write(tree, { 'b.c': 'int b(void) { return 2; }\n' });
    commit(tree, 'change b');
    const second = await buildKernel(context, options());
    expect(readFileSync(second.artifact.log, 'utf8')).toContain('CC      b.o');
    expect(readFileSync(second.artifact.log, 'utf8')).not.toContain('CC      a.o');
    expect(artifacts()).toHaveLength(2);
  });

  it('of a changed tree configures again only when Kconfig, or what it asks, has changed', async () => {
    await buildKernel(context, options());
    const configured = path.join(buildFolder(context, 'v7.3', 'default'), 'configure', '.config');
    rmSync(configured);
    write(tree, { 'b.c': 'int b(void) { return 2; }\n' });
    commit(tree, 'change b');
    const { artifact } = await buildKernel(context, options());
    expect(readFileSync(artifact.config, 'utf8')).toContain('CONFIG_CHILD=y');
    expect(existsSync(configured)).toBe(false);
    appendFileSync(path.join(tree, 'Kconfig'), 'config MORE\n\tbool\n');
    commit(tree, 'change Kconfig');
    await buildKernel(context, options());
    expect(existsSync(configured)).toBe(true);
  });

  it('of another profile has a folder and a key of its own', async () => {
    const first = await buildKernel(context, options());
    const debug = await buildKernel(context, options({ profile: 'debug' }));
    expect(debug.artifact.key).not.toBe(first.artifact.key);
    expect(readFileSync(debug.artifact.config, 'utf8')).toContain('CONFIG_DEBUG=y');
    expect(readdirSync(context.dirs.build)).toEqual(expect.arrayContaining(['v7.3-debug', 'v7.3-default']));
  });

  it('takes the user’s fragment over the shipped ones', async () => {
    const file = path.join(dir, 'my.config');
    writeFileSync(file, 'CONFIG_NUMBER=16\n');
    const { artifact } = await buildKernel(context, options({ fragments: [file] }));
    expect(readFileSync(artifact.config, 'utf8')).toContain('CONFIG_NUMBER=16');
  });
});

describe('a request that does not make it', () => {
  it.each([
    [
      'a misspelt symbol',
      'CONFIG_CHILDD=y\n',
      /my\.config:1: CONFIG_CHILDD=y: .*is no symbol of this kernel/,
    ],
    [
      'an unmet dependency',
      '\n# CONFIG_PARENT is not set\n',
      /filesystems\.config:1: CONFIG_CHILD=y: .*depends on is off/,
    ],
    ['a line that is none', 'CHILD=y\n', /my\.config:1: not a line of a kernel configuration/],
  ])('by %s is an error with exit 2, and nothing is compiled', async (_, text, expected) => {
    const file = path.join(dir, 'my.config');
    writeFileSync(file, text);
    const error = await refused({ fragments: [file] });
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(expected);
    expect(artifacts()).toEqual([]);
    // The next build is not disturbed.
    await buildKernel(context, options());
  });

  it('in a file that is not there names the file', async () => {
    expect((await refused({ fragments: [path.join(dir, 'gone.config')] })).message).toContain('gone.config');
  });
});

describe('a build that fails', () => {
  it('in source of the user names file, line and the compiler’s first error', async () => {
    write(tree, { 'b.c': 'int b(void)\n{\n\treturn gone;\n}\n' });
    commit(tree, 'break b');
    const error = await refused();
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(/^b\.c:3: building stock \(default\): .*gone.* undeclared/);
    expect(readFileSync(error.failure.log ?? '', 'utf8')).toContain('gone');
    expect(artifacts()).toEqual([]);
  });

  it('on what an interrupted build left starts over, once, and says so', async () => {
    await buildKernel(context, options());
    const out = path.join(buildFolder(context, 'v7.3', 'default'), OUTPUT);
    writeFileSync(path.join(out, 'a.o'), 'cut');
    write(tree, { 'b.c': 'int b(void) { return 3; }\n' });
    commit(tree, 'change b again');
    const { artifact } = await buildKernel(context, options());
    expect(existsSync(artifact.vmlinux)).toBe(true);
    const notes = context.events.filter((event) => event.type === 'note').map(({ text }) => text);
    expect(notes.join('\n')).toContain('left unusable by an interrupted build');
  });

  it('names a localversion that the tree adds by itself', async () => {
    const text = readFileSync(path.join(tree, 'Makefile'), 'utf8').replace(
      '$(SUBLEVEL)$(LOCAL',
      '$(SUBLEVEL)-mine$(LOCAL',
    );
    writeFileSync(path.join(tree, 'Makefile'), text);
    commit(tree, 'add to the release');
    const error = await refused();
    expect(error).toBeInstanceOf(InfraError);
    expect(error.message).toContain('make says 7.3.4-mine-enokey-stock-');
  });
});

describe('an artifact that is damaged', () => {
  it.each([
    ['a truncated vmlinux', (folder: string) => truncateSync(path.join(folder, 'vmlinux'), 100)],
    [
      'a changed vmlinux',
      (folder: string) => {
        const data = readFileSync(path.join(folder, 'vmlinux'));
        data[data.length - 1] = (data.at(-1) ?? 0) ^ 1;
        writeFileSync(path.join(folder, 'vmlinux'), data);
      },
    ],
    ['a missing map', (folder: string) => rmSync(path.join(folder, 'System.map'))],
    ['a broken manifest', (folder: string) => appendFileSync(path.join(folder, 'manifest.json'), '}')],
    ['no manifest', (folder: string) => rmSync(path.join(folder, 'manifest.json'))],
    [
      'a manifest with an unknown field',
      (folder: string) => {
        const file = path.join(folder, 'manifest.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('{', '{"more": 1,'));
      },
    ],
  ])('by %s is never used, but built again', async (_, damage) => {
    const first = await buildKernel(context, options());
    const good = readFileSync(first.artifact.vmlinux);
    damage(first.artifact.dir);
    const second = await buildKernel(context, options());
    expect(second.fromStore).toBe(false);
    expect(readFileSync(second.artifact.vmlinux).equals(good)).toBe(true);
    expect(context.events.some((event) => event.type === 'note' && event.text.includes('built again'))).toBe(
      true,
    );
    expect(artifacts()).toEqual([first.artifact.key]);
  });
});

describe('two builds of one folder', () => {
  it('take turns; the second says for whom it waits and finds what the first made', async () => {
    const lock = await tryLock(buildLock(context, 'v7.3', 'default'), 'somebody else');
    const waiting = buildKernel(context, options());
    await until(() =>
      context.events.find((event) => event.type === 'note' && event.text.includes('waiting for')),
    );
    expect(artifacts()).toEqual([]);
    await lock?.release();
    const both = await Promise.all([waiting, buildKernel(context, options())]);
    expect(both.map(({ fromStore }) => fromStore).sort()).toEqual([false, true]);
    expect(artifacts()).toHaveLength(1);
  });
});

describe('an interrupted build', () => {
  it('ends soon, stores nothing, and is gone on with', async () => {
    const slow = readFileSync(path.join(tree, 'Makefile'), 'utf8').replace(
      "@echo '  LD      vmlinux'",
      "@echo '  LD      vmlinux'; test -e $(S)/../go || sleep 60",
    );
    writeFileSync(path.join(tree, 'Makefile'), slow);
    commit(tree, 'be slow');
    const running = buildKernel(context, options());
    const log = path.join(buildFolder(context, 'v7.3', 'default'), 'build.log');
    await until(() => (readFileSync(log, 'utf8').includes('LD ') ? true : undefined));
    const began = performance.now();
    context.abort();
    await expect(running).rejects.toThrow(InterruptedError);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(artifacts()).toEqual([]);
    writeFileSync(path.join(buildFolder(context, 'v7.3', 'default'), 'go'), '');
    const again = enokey('enokey');
    const { artifact } = await buildKernel(again, options());
    expect(readFileSync(artifact.log, 'utf8')).not.toContain('CC ');
  });
});
