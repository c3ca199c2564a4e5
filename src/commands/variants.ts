// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Args, Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';

export default class Variants extends EnokeyCommand<typeof Variants> {
  static override summary = 'List the variants with their series and contracts, and whether each applies';
  static override description = `With NAME: everything about one variant: patches, what they add to and remove from each file, contract, and what is wrong with it. Series are tried on the imported kernel (or on --tree), without changing it.

Exit code 2 when something is wrong with a variant that is shown.`;
  static override examples = [
    '<%= config.bin %> variants',
    '<%= config.bin %> variants stock',
    '<%= config.bin %> variants soft@2 --tree ~/src/linux --json',
  ];
  static override args = { name: Args.string({ description: 'Variant, VARIANT@N or VARIANT+instrument' }) };
  static override flags = {
    tree: Flags.string({ summary: 'Try the series on the HEAD of this kernel git tree', helpValue: 'DIR' }),
  };

  protected override async execute(): Promise<object> {
    const { args, flags, settings, context } = this;
    const [{ describeVariants }, { variantsTable, variantText }] = await Promise.all([
      import('../variants/describe.js'),
      import('../cli/variants-view.js'),
    ]);
    const variants = await describeVariants(context, {
      settings,
      names: args.name === undefined ? undefined : [args.name],
      tree: flags.tree === undefined ? settings.tree : path.resolve(process.cwd(), flags.tree),
    });
    const [only] = variants;
    this.log(args.name !== undefined && only ? variantText(only) : variantsTable(variants));
    if (variants.some(({ problems }) => problems.length > 0)) process.exitCode = 2;
    return { variants };
  }
}
