// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { fstestsFlags, restatedFstests, selectTestsOfFlags } from '../cli/fstests-flags.js';
import { matrixOptions, planHost, runFlags, splitList } from '../cli/run-flags.js';

export default class Matrix extends EnokeyCommand<typeof Matrix> {
  static override summary = 'Measure variants against each other: plan, build, boot, run, tabulate';
  static override description = `Every variant runs every test on every file system N times, in a seeded order that lets variants alternate.
Each finished cell is on disk before the next one starts: a run that was stopped goes on with --resume.

Exit codes: 0 all as the contracts say, 1 a cell is not (or none ran), 69 the machinery failed, 130 interrupted.`;
  static override examples = [
    '<%= config.bin %> matrix --variants stock --fs ext4,f2fs -n 5',
    '<%= config.bin %> matrix --tests race-append,race-held -n 50 --profile debug',
    '<%= config.bin %> matrix --resume',
    '<%= config.bin %> matrix --variants hard,soft@2 --dry-run',
  ];
  static override flags = {
    variants: Flags.string({
      summary: 'Variants, comma-separated (default: all); VARIANT@N takes its first N patches',
      helpValue: 'LIST',
    }),
    tests: Flags.string({
      summary: 'Tests, comma-separated: probes, open-fd, ... (default: all)',
      helpValue: 'LIST',
    }),
    resume: Flags.boolean({ summary: 'Complete the newest run, or that of --run, with its missing cells' }),
    ...runFlags,
    ...fstestsFlags,
  };

  protected override async execute(): Promise<object> {
    const { flags, settings, context } = this;
    const cwd = process.cwd();
    const [{ RunFolder, findRun, runsDir }, { planMatrix }, { checkRestated }] = await Promise.all([
      import('../run/folder.js'),
      import('../run/request.js'),
      import('../run/resume.js'),
    ]);
    const selection = flags.resume
      ? undefined
      : await selectTestsOfFlags(context, settings, flags, {
          tests: splitList(flags.tests),
          variants: splitList(flags.variants) ?? settings.variantNames,
          cwd,
        });
    const options = {
      ...matrixOptions(flags, cwd),
      variants: splitList(flags.variants),
      tests: selection ? selection.tests : splitList(flags.tests),
    };
    const runDir = flags.run === undefined ? undefined : path.resolve(cwd, flags.run);
    let plan = flags.resume
      ? undefined
      : await planMatrix(
          settings,
          { ...options, exclude: settings.exclude, fstests: selection?.plan },
          planHost(selection?.fstests),
        );
    const folder = flags.resume
      ? await findRun(context.dirs, flags.run, runDir)
      : new RunFolder(runDir ?? path.join(runsDir(context.dirs), plan?.id ?? ''));
    if (flags.resume) {
      const there = await folder.readPlan();
      if (there) checkRestated(there, { ...options, fstests: restatedFstests(flags, cwd) });
      if (flags['dry-run']) plan = there;
    }
    if (flags['dry-run'] && plan) {
      const [{ estimate }, { planText }] = await Promise.all([
        import('../run/estimate.js'),
        import('../cli/run-report.js'),
      ]);
      const expected = estimate(plan);
      this.log(planText(plan, expected));
      return { plan, estimate: expected };
    }
    const [{ hostMachinery }, { runMatrix }, { runOutput }] = await Promise.all([
      import('../run/machinery.js'),
      import('../run/matrix.js'),
      import('../cli/run-report.js'),
    ]);
    const { record, timing } = await runMatrix(context, await hostMachinery(this.config.version), {
      folder,
      plan,
      resolveVariant: (name) => settings.resolve(name),
    });
    const output = runOutput(folder.dir, record, timing);
    this.log(output.text);
    process.exitCode = output.exitCode;
    return output.json;
  }
}
