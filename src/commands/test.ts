// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Args } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { fstestsFlags, selectTestsOfFlags } from '../cli/fstests-flags.js';
import { matrixOptions, planHost, runFlags } from '../cli/run-flags.js';

export default class Test extends EnokeyCommand<typeof Test> {
  static override summary =
    'Run tests of one variant in a guest, and show each outcome and where its files are';
  static override description = `The same machinery as matrix, with one variant and one iteration unless told otherwise.`;
  static override examples = [
    '<%= config.bin %> test stock',
    '<%= config.bin %> test stock open-fd new-open --fs ext4',
    '<%= config.bin %> test soft@2 race-append -n 10 --profile debug',
    '<%= config.bin %> test stock generic/595 "generic/595 (port)" --fs ext4,f2fs -n 10',
    '<%= config.bin %> test stock -g encrypt --fs ext4 --exclude known.txt',
  ];
  static override strict = false;
  static override args = {
    variant: Args.string({ required: true, description: 'Variant, VARIANT@N or VARIANT+instrument' }),
    tests: Args.string({
      description: 'Tests: probes, open-fd, generic/595, "generic/595 [hard]", ... (default: all probes)',
    }),
  };
  static override flags = { ...runFlags, ...fstestsFlags };

  protected override async execute(): Promise<object> {
    const { flags, args, settings, context } = this;
    const cwd = process.cwd();
    const [{ RunFolder, runsDir }, { planMatrix }, { hostMachinery }] = await Promise.all([
      import('../run/folder.js'),
      import('../run/request.js'),
      import('../run/machinery.js'),
    ]);
    const named = this.rest.slice(1);
    const selection = await selectTestsOfFlags(context, settings, flags, {
      tests: named.length > 0 ? named : undefined,
      variants: [args.variant],
      cwd,
    });
    const options = matrixOptions(flags, cwd);
    const plan = await planMatrix(
      settings,
      {
        ...options,
        iterations: options.iterations ?? 1,
        variants: [args.variant],
        tests: selection.tests,
        fstests: selection.plan,
      },
      planHost(selection.fstests),
    );
    if (flags['dry-run']) {
      const [{ estimate }, { planText }] = await Promise.all([
        import('../run/estimate.js'),
        import('../cli/run-report.js'),
      ]);
      const expected = estimate(plan);
      this.log(planText(plan, expected));
      return { plan, estimate: expected };
    }
    const folder = new RunFolder(
      flags.run === undefined ? path.join(runsDir(context.dirs), plan.id) : path.resolve(cwd, flags.run),
    );
    const [{ runMatrix }, { runOutput, cellsText }] = await Promise.all([
      import('../run/matrix.js'),
      import('../cli/run-report.js'),
    ]);
    const { record, timing } = await runMatrix(context, await hostMachinery(this.config.version), {
      folder,
      plan,
      resolveVariant: (name) => settings.resolve(name),
    });
    const output = runOutput(folder.dir, record, timing);
    this.log(cellsText(folder.dir, record));
    process.exitCode = output.exitCode;
    return { ...output.json, results: record.results };
  }
}
