// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Args, Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';

export default class Build extends EnokeyCommand<typeof Build> {
  static override summary = "Build variants' kernels, or take them from the artifact store";
  static override description = `The configuration is tinyconfig plus the fragments in vm/kernel/, and a symbol that does not make it into the final .config is an error. An artifact is keyed by tree, final configuration, release and tools: the same key is never built twice, and built twice would give the same bytes. Variants of one base and profile share a folder, so that a switch rebuilds what differs.`;
  static override examples = [
    '<%= config.bin %> build stock',
    '<%= config.bin %> build hard soft --profile debug',
    '<%= config.bin %> build stock --tree ~/src/linux --config-fragment my.config',
    '<%= config.bin %> build soft --each',
    '<%= config.bin %> build stock --dry-run --json',
  ];
  static override strict = false;
  static override args = {
    variant: Args.string({
      required: true,
      description: 'Variant, VARIANT@N or VARIANT+instrument; several may be given',
    }),
  };
  static override flags = {
    profile: Flags.option({
      options: ['default', 'debug'] as const,
      summary: 'default, or debug with KASAN, lockdep and more detectors',
    })(),
    tree: Flags.string({
      summary: 'Kernel git tree to build from instead of the imported one',
      helpValue: 'DIR',
    }),
    onto: Flags.string({
      summary: 'Commit in that tree; default HEAD',
      helpValue: 'REF',
      dependsOn: ['tree'],
    }),
    'config-fragment': Flags.string({
      summary: 'More configuration, which wins over the shipped one; may be repeated',
      helpValue: 'FILE',
      multiple: true,
    }),
    each: Flags.boolean({
      summary: 'Build after every patch of the series: finds the one that does not compile',
    }),
    jobs: Flags.integer({ char: 'j', summary: 'Parallel compile jobs', helpValue: 'N' }),
    'dry-run': Flags.boolean({ summary: 'Only say which artifacts are in the store' }),
  };

  protected override async execute(): Promise<object> {
    const { flags, settings, context } = this;
    const { buildAll } = await import('../kernel/series.js');
    const cwd = process.cwd();
    const results = await buildAll(context, {
      names: this.rest,
      resolve: (name) => settings.resolve(name),
      each: flags.each,
      dryRun: flags['dry-run'],
      profile: flags.profile ?? settings.profile ?? 'default',
      tree: flags.tree === undefined ? settings.tree : path.resolve(cwd, flags.tree),
      onto: flags.onto,
      fragments: flags['config-fragment']?.map((file) => path.resolve(cwd, file)),
      jobs: flags.jobs,
    });
    for (const { variant, state, artifact } of results) {
      this.log(`${variant}: ${artifact ? `${artifact.release}, ${state}` : state}`);
      if (artifact) this.log(`  ${artifact.dir}`);
    }
    return { builds: results };
  }
}
