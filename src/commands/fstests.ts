// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { fstestsFlag, resolveFstestsFlag } from '../cli/fstests-flags.js';
import { table } from '../cli/table.js';
import type { ResolvedSource } from '../fstests/source.js';

export default class Fstests extends EnokeyCommand<typeof Fstests> {
  static override summary = 'Fetch and build fstests for the guest image, or list its groups';
  static override description = `The tree is exported at a commit into the cache and built there once an image; a checkout of yours is only read.
Without --fstests the upstream repository is used, at the commit that fstests-overrides/ was checked against.`;
  static override examples = [
    '<%= config.bin %> fstests',
    '<%= config.bin %> fstests --list encrypt --fs ext4',
    '<%= config.bin %> fstests --fstests ~/src/xfstests@for-next',
    '<%= config.bin %> fstests --fstests https://github.com/btrfs/fstests@fscrypt',
  ];
  static override flags = {
    fstests: fstestsFlag,
    list: Flags.string({ summary: 'List the tests of a group and build nothing', helpValue: 'GROUP' }),
    fs: Flags.string({ summary: 'With --list: also the tests of this file system', helpValue: 'FS' }),
    'dry-run': Flags.boolean({ summary: 'Say what would be built, and do nothing' }),
  };

  protected override async execute(): Promise<object> {
    const { flags, settings, context } = this;
    const asked = resolveFstestsFlag(flags.fstests, settings, process.cwd());
    const { findSource } = await import('../fstests/selection.js');
    if (flags['dry-run'] && flags.list === undefined) {
      const name = asked ?? 'upstream at the pinned commit';
      this.log(
        `would export and build fstests (${name}) for the guest image below ${path.join(context.dirs.cache, 'fstests')}`,
      );
      return { source: name };
    }
    const source = await findSource(context, asked);
    if (flags.list !== undefined) return this.list(source, flags.list);
    const [{ buildFstests }, { ensureImage }] = await Promise.all([
      import('../fstests/build.js'),
      import('../image/index.js'),
    ]);
    const image = await ensureImage(context);
    const build = await buildFstests(context, { source, imageKey: image.key });
    const lines = [`fstests ${build.name}`, `disk    ${build.disk}`];
    for (const [folder, tests] of build.overridden)
      lines.push(`own     ${tests.map((test) => `${test} [${folder}]`).join(', ')}`);
    for (const misfit of build.misfits)
      lines.push(`btrfs   cannot run: ${misfit.file}: ${misfit.function} ${misfit.observed}`);
    this.log(lines.join('\n'));
    return {
      commit: build.commit,
      source: build.name,
      disk: build.disk,
      key: build.key,
      misfits: build.misfits,
    };
  }

  private async list(source: ResolvedSource, group: string): Promise<object> {
    const [{ exportTree }, { testsOfGroup }] = await Promise.all([
      import('../fstests/export.js'),
      import('../fstests/groups.js'),
    ]);
    const { tree } = await exportTree(this.context, source);
    const tests = await testsOfGroup(tree, group, this.flags.fs);
    this.log(
      table(
        ['test', 'groups'],
        tests.map((test) => [test.id, test.groups.join(' ')]),
      ),
    );
    this.log(`\n${tests.length} tests of group ${group} in fstests ${source.name}`);
    return { commit: source.commit, group, tests };
  }
}
