// SPDX-License-Identifier: GPL-2.0-only
import { compareLosses, compareVariants, type ComparedRow } from './compare.js';
import { failureLines, lossLines, runLines } from './comparison-lines.js';
import { configHeader, configToRepeat } from './from-config.js';
import { leftOutText } from './left-out.js';
import { details, lossText, resultText } from './row-text.js';
import type { Summary } from './summary.js';
import { tellingLines } from './tell-apart.js';
import { clean, fold, foldCommand, plural } from './text.js';
import { verdictOf } from './verdict.js';

/** Plain-text mail to a kernel mailing list is read in 72 columns. */
export const MAIL_WIDTH = 72;

function header(summary: Summary): string[] {
  const { plan, environment } = summary;
  const others = Object.entries(plan.testIterations ?? {}).map(([test, count]) => `${test}: ${count}`);
  const lines = [
    `Run ${plan.id}: ${summary.done} of ${summary.planned} cells${summary.complete ? '' : ' -- PARTIAL, not finished'}`,
    `${plural(plan.variants.length, 'variant')} x ${plural(plan.filesystems.length, 'file system')} x ${plural(plan.tests.length, 'test')} x ${plural(plan.iterations, 'iteration')}${others.length > 0 ? ` (${others.join(', ')})` : ''}, seed ${plan.seed}`,
  ];
  for (const one of plan.leftOut ?? []) if (one.cells > 0) lines.push(`Left out: ${leftOutText(one)}`);
  lines.push(...configHeader(plan));
  if (summary.startedAt)
    lines.push(`Measured ${summary.startedAt.slice(0, 19)}Z to ${summary.endedAt?.slice(0, 19)}Z`);
  lines.push('');
  if (!environment) return [...lines, 'No environment was recorded.'];
  for (const kernel of environment.kernels) {
    lines.push(
      `kernel       ${kernel.variant}: ${kernel.release}, ${kernel.commit}, tree ${kernel.treeId.slice(0, 12)}, config ${kernel.configHash.slice(0, 12)}, artifact ${kernel.artifactKey.slice(0, 12)}, profile ${kernel.profile}`,
    );
  }
  const compilers = [...new Set(environment.kernels.map((kernel) => kernel.compiler))];
  for (const compiler of compilers) lines.push(`compiler     ${compiler}`);
  lines.push(
    `qemu         ${environment.qemu}`,
    `accelerator  ${environment.accelerator.name}${environment.accelerator.reason ? ` (${clean(environment.accelerator.reason)})` : ''}`,
    `guest        ${environment.guest.cpus} CPUs, ${environment.guest.memoryMiB} MiB; image ${environment.image.key.slice(0, 12)}; ${plural(summary.guests, 'guest')} used`,
    `host         ${environment.host.cpu}, ${environment.host.cpus} CPUs, ${environment.host.memoryMiB} MiB, Linux ${environment.host.kernel}${summary.hostLoad ? `, load ${summary.hostLoad.median.toFixed(1)} (max ${summary.hostLoad.max.toFixed(1)})` : ''}`,
  );
  const packages = Object.entries(environment.image.packages);
  if (packages.length > 0)
    lines.push(`tools        ${packages.map(([name, version]) => `${name} ${version}`).join(', ')}`);
  if (environment.fstests) {
    lines.push(`fstests      ${environment.fstests.commit}, TIME_FACTOR ${environment.fstests.timeFactor}`);
  }
  lines.push(
    `enokey       ${environment.enokey}${environment.probes ? `, probes ${environment.probes.slice(0, 12)}` : ''}`,
  );
  return lines;
}

function columnWidth(values: readonly string[], limit: number): number {
  return Math.min(limit, Math.max(...values.map((value) => value.length)));
}

/** A line a row and its details. Losses stand in that line if those of all rows fit there, or else below it. */
function body(summary: Summary): string[] {
  const { rows } = summary;
  if (rows.length === 0) return ['(no cells planned)'];
  const cells = rows.map((row) => [
    `${row.unexpected.length > 0 ? '!' : ' '}${row.variant}`,
    row.filesystem,
    row.test.replace('probe/', ''),
    resultText(row),
  ]);
  const widths = [17, 5, 20, 18].map((limit, column) =>
    columnWidth(
      cells.map((row) => row[column] ?? ''),
      limit,
    ),
  );
  const heads = cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' '));
  const fits = rows.every((row, index) => `${heads[index]} ${lossText(row)}`.length <= MAIL_WIDTH);
  return rows.flatMap((row, index) => {
    const head = heads[index] ?? '';
    const loss = lossText(row);
    return [
      (fits ? `${head} ${loss}` : head).trimEnd(),
      ...[...(fits || loss === '' ? [] : [loss]), ...details(row)].map((text) => `    ${text}`),
    ];
  });
}

/**
 * An empty line and a section, or nothing for none. Columns stay as they are where they fit; a line that is too long is
 * folded like any other.
 */
function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines.flatMap((line) => fold(line, MAIL_WIDTH, 4))];
}

const NOTES = [
  'Lost: acknowledged writes that do not read back as they were written, be they missing or wrong. Wrong: places that read back as other bytes, in the port of generic/595 also as zeros.',
  'Rates: lost of acknowledged writes in per cent, with a 95% interval (Wilson), of the tests that repeat one kind of write. Writes of one iteration are lost in bursts; from two iterations on, the interval allows for that. With a single iteration, with 0 lost and with 100% lost it cannot, and assumes independent writes. Iterations are independent (a new file system each): "failed" is the safer figure.',
];

/** The command, such that it can be pasted into a shell, and what it needs that no flag says. */
function repeatLines(plan: Summary['plan']): string[] {
  return [
    'To repeat it:',
    ...foldCommand(plan.command, MAIL_WIDTH, 4, 8),
    ...configToRepeat(plan, MAIL_WIDTH),
  ];
}

/** The report as text for a mail, no line longer than 72 columns unless a single word of the command is. */
export function mailText(summary: Summary): string {
  const verdict = verdictOf(summary);
  const wrap = (line: string, indent: number): string[] => fold(line, MAIL_WIDTH, indent);
  const lines = [
    'What removing an fscrypt master key does to acknowledged writes',
    '',
    ...header(summary).flatMap((line) => (line === '' ? [''] : wrap(line, 13))),
    '',
    ...body(summary).flatMap((line) => wrap(line, 6)),
    ...section(tellingLines(summary)),
    ...section(failureLines(compareVariants(summary))),
    ...section(lossLines(compareLosses(summary))),
    '',
    ...wrap(
      `${summary.unexpected === 0 ? '' : '! '}${verdict.reason}.${summary.retries > 0 ? ` ${summary.retries} further tries after boot-error or infra.` : ''}`,
      2,
    ),
    ...NOTES.flatMap((line) => wrap(line, 0)),
    '',
    ...repeatLines(summary.plan),
  ];
  return `${lines.join('\n')}\n`;
}

/** Two runs, row by row. */
export function comparisonText(first: Summary, second: Summary, rows: readonly ComparedRow[]): string {
  const lines = runLines(first, second, rows);
  if (lines.length === 0) return `${first.plan.id} and ${second.plan.id} have no row in common\n`;
  return `${lines.flatMap((line) => (line === '' ? [''] : fold(line, MAIL_WIDTH, 4))).join('\n')}\n`;
}
