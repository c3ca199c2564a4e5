// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Args, Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { UserError } from '../core/errors.js';

export default class Report extends EnokeyCommand<typeof Report> {
  static override summary = 'Show a finished or partial run: as a table, a mail of 72 columns, JSON or CSV';
  static override description = `RUN is the folder or the id of a run; without it the newest is taken. A run that is going on can be reported too.
--compare sets each row against the same row of another run by Fisher's exact test, as text or with --format json.

Exit codes are those of the run: 1 when a cell is not as its contract says.`;
  static override examples = [
    '<%= config.bin %> report',
    '<%= config.bin %> report 20261123-001530-ab12 --format mail',
    '<%= config.bin %> report --compare ./runs/before',
    '<%= config.bin %> report --format csv > cells.csv',
  ];
  static override args = { run: Args.string({ description: 'Folder or id of a run' }) };
  static override flags = {
    format: Flags.option({
      options: ['table', 'mail', 'json', 'csv'] as const,
      default: 'table' as const,
      summary: 'How to show it',
    })(),
    compare: Flags.string({ summary: 'Another run to compare with', helpValue: 'RUN' }),
  };

  protected override async execute(): Promise<object> {
    const { args, flags, context } = this;
    if (flags.compare !== undefined && (flags.format === 'mail' || flags.format === 'csv')) {
      throw new UserError({
        subject: `--format ${flags.format}`,
        observed: 'a comparison cannot be shown so',
        expected: 'table or json with --compare',
        next: 'leave --format out for text, of which no line is longer than 72 columns',
      });
    }
    const cwd = process.cwd();
    const [{ findRun }, { summarise }, { verdictOf }, { reportJson, reportCsv }] = await Promise.all([
      import('../run/folder.js'),
      import('../report/summary.js'),
      import('../report/verdict.js'),
      import('../report/formats.js'),
    ]);
    const find = (wanted: string | undefined) =>
      findRun(context.dirs, wanted, wanted === undefined ? undefined : path.resolve(cwd, wanted));
    const folder = await find(args.run);
    const record = await folder.read();
    const summary = summarise(record);
    const verdict = verdictOf(summary);
    process.exitCode = verdict.exitCode;
    if (flags.compare !== undefined) {
      const other = summarise(await (await find(flags.compare)).read());
      const [{ compareRuns }, { comparisonText }] = await Promise.all([
        import('../report/compare.js'),
        import('../report/mail.js'),
      ]);
      const rows = compareRuns(summary, other);
      if (flags.format === 'json') this.log(JSON.stringify(rows, null, 2));
      else this.log(comparisonText(summary, other, rows).trimEnd());
      return { first: summary.plan.id, second: other.plan.id, rows };
    }
    const json = { dir: folder.dir, verdict, ...reportJson(summary), timing: await folder.readTiming() };
    switch (flags.format) {
      case 'mail': {
        const { mailText } = await import('../report/mail.js');
        this.log(mailText(summary).trimEnd());
        break;
      }
      case 'csv':
        this.log(reportCsv(record).trimEnd());
        break;
      case 'json':
        this.log(JSON.stringify(json, null, 2));
        break;
      default: {
        const { runTable } = await import('../cli/run-report.js');
        this.log(runTable(summary));
      }
    }
    return json;
  }
}
