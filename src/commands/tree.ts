// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { UserError } from '../core/errors.js';

export default class Tree extends EnokeyCommand<typeof Tree> {
  static override summary = "Import a kernel release into git in enokey's cache, or look at a tree of yours";
  static override description = `Takes Debian's linux-source package from the archive that this host's apt uses, without touching the host's apt, and makes it a git repository with one commit and a tag. An import that was interrupted is done again. The other commands do this by themselves when they need it.

With --tree nothing is imported: it says whether that tree can be used, and for which bases.`;
  static override examples = [
    '<%= config.bin %> tree',
    '<%= config.bin %> tree --dry-run --json',
    '<%= config.bin %> tree --from kernel.org --again',
    '<%= config.bin %> tree --tree ~/src/linux',
  ];
  static override flags = {
    base: Flags.string({
      summary: 'Base to import; default the first one in variants.yaml',
      helpValue: 'NAME',
    }),
    from: Flags.option({
      options: ['debian', 'kernel.org'] as const,
      summary: 'Where to take it from; default debian',
    })(),
    again: Flags.boolean({ summary: 'Import it anew although it is there' }),
    tree: Flags.string({
      summary: 'Look at this kernel git tree instead',
      helpValue: 'DIR',
      exclusive: ['base', 'from', 'again'],
    }),
    'dry-run': Flags.boolean({ summary: 'Only say what is there' }),
  };

  protected override async execute(): Promise<object> {
    const { flags, settings, context } = this;
    const { ensureTree, checkUserTree } = await import('../tree/status.js');
    if (flags.tree !== undefined) {
      const report = await checkUserTree(context, path.resolve(process.cwd(), flags.tree), settings.bases);
      this.log(`${report.path}: ${report.describe}, clean`);
      this.log(
        `  for bases: ${report.bases?.join(', ') || `none: it is none of ${settings.bases.map(({ version }) => version).join(', ')}`}`,
      );
      return report;
    }
    const base =
      flags.base === undefined ? settings.bases[0] : settings.bases.find(({ name }) => name === flags.base);
    if (!base) {
      throw new UserError({
        subject: `base ${flags.base ?? ''}`,
        observed: 'unknown',
        expected: `one of ${settings.bases.map(({ name }) => name).join(', ')}`,
      });
    }
    const report = await ensureTree(context, {
      base,
      from: flags.from,
      again: flags.again,
      dryRun: flags['dry-run'],
    });
    if (report.state === 'absent') {
      this.log(`${base.name}: not imported yet; would be ${report.path}`);
    } else {
      this.log(
        `${base.name}: ${report.describe}, ${report.files} files, ${report.state === 'imported' ? 'imported' : 'there already'}`,
      );
      this.log(`  ${report.path}`);
      this.log(`  a checkout of it: git clone --shared ${report.path} DIR`);
    }
    return report;
  }
}
