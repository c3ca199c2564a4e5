// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Args, Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';

export default class Apply extends EnokeyCommand<typeof Apply> {
  static override summary = "Put a variant's series onto a kernel tree, as the new branch enokey/VARIANT";
  static override description = `git am of the base series (where the variant has one) and of the variant's own series. Nothing in the tree changes but that branch: HEAD, index and files stay as they are unless --switch is given, and nothing at all changes when something is refused or a patch does not apply.

A tree with uncommitted changes, or in the middle of an am, rebase, merge or bisect, is refused; so is one of another release. Without --tree the kernel that \`<%= config.bin %> tree\` imports is used.`;
  static override examples = [
    '<%= config.bin %> apply soft --tree ~/src/linux',
    '<%= config.bin %> apply soft --tree ~/src/linux --check',
    '<%= config.bin %> apply soft@2 --tree ~/src/linux --onto v7.3.4 --worktree ~/src/linux-soft',
    '<%= config.bin %> apply stock --worktree /tmp/linux-7.3',
  ];
  static override args = {
    variant: Args.string({
      required: true,
      description: 'Variant, or VARIANT@N for the first N patches of its own series',
    }),
  };
  static override flags = {
    tree: Flags.string({
      summary: 'Kernel git tree; default that of enokey.yaml, else the imported one',
      helpValue: 'DIR',
    }),
    onto: Flags.string({ summary: 'Commit to put the series onto; default HEAD', helpValue: 'REF' }),
    check: Flags.boolean({ aliases: ['dry-run'], summary: 'Only say whether it would work' }),
    force: Flags.boolean({ summary: 'Replace the branch when it is at another commit' }),
    worktree: Flags.string({
      summary: 'Check the branch out in a new git worktree',
      helpValue: 'DIR',
      exclusive: ['switch'],
    }),
    switch: Flags.boolean({ summary: 'Check the branch out in the tree itself' }),
  };

  protected override async execute(): Promise<object> {
    const { args, flags, settings, context } = this;
    const absolute = (dir: string | undefined): string | undefined =>
      dir === undefined ? undefined : path.resolve(process.cwd(), dir);
    const { applyToTree } = await import('../variants/apply.js');
    const report = await applyToTree(context, {
      variant: await settings.resolve(args.variant),
      tree: absolute(flags.tree) ?? settings.tree,
      onto: flags.onto,
      check: flags.check,
      force: flags.force,
      worktree: absolute(flags.worktree),
      checkout: flags.switch,
    });
    const count = `${report.patches.length} patch${report.patches.length === 1 ? '' : 'es'}`;
    const what = `${report.branch}: ${count} onto ${report.onto.describe} is ${report.commit.slice(0, 12)}`;
    if (report.checked) {
      const would = {
        created: 'would be made',
        replaced: 'would be replaced',
        unchanged: 'is there already',
      }[report.state];
      this.log(`${what}; applies, the branch ${would}`);
      return report;
    }
    this.log(`${what}; branch ${report.state} in ${report.tree}`);
    if (report.worktree !== undefined) this.log(`  checked out in ${report.worktree}`);
    else if (report.checkedOut) this.log('  checked out');
    else
      this.log(
        `  look at it: git -C ${report.tree} log ${report.onto.commit.slice(0, 12)}..${report.branch}`,
      );
    return report;
  }
}
