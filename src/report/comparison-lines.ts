// SPDX-License-Identifier: GPL-2.0-only
import { ALPHA, type Comparison, type Verdict } from '../stats/compare.js';
import { meanOf, pText, type ComparedLosses, type ComparedRow } from './compare.js';
import { lossText, resultText } from './row-text.js';
import type { Summary } from './summary.js';
import { percent, plural } from './text.js';

type AnyVerdict = Verdict | ComparedLosses['verdict'];

/** `btrfs open-fd` */
function subjectOf({ filesystem, test }: Pick<ComparedRow, 'filesystem' | 'test'>): string {
  return `${filesystem} ${test.replace('probe/', '')}`;
}

/** True for a verdict over which p is corrected: the others are no comparisons. */
function isTold(verdict: AnyVerdict): boolean {
  return verdict !== 'no data' && verdict !== 'nothing to tell' && verdict !== 'too few to tell';
}

/** Over how many comparisons p is corrected; nothing for none. */
function correctionLines(verdicts: readonly AnyVerdict[], of = ''): string[] {
  const told = verdicts.filter(isTold).length;
  return told > 0 ? [`p is Holm-corrected over ${plural(told, 'comparison')}${of}.`] : [];
}

/**
 * How many pairs are not listed, and why; nothing for none.
 * @param same what is the same in both groups of a pair of which there is nothing to tell
 */
function leftOutLines(verdicts: readonly AnyVerdict[], same: string): string[] {
  const pairs = (wanted: AnyVerdict, why: string): string[] => {
    const count = verdicts.filter((verdict) => verdict === wanted).length;
    return count > 0 ? [`${plural(count, 'pair')} ${why}`] : [];
  };
  const texts = [
    ...pairs('no data', 'with losses that are not all counted'),
    ...pairs('nothing to tell', same),
    ...pairs('too few to tell', `of so few iterations that p >= ${ALPHA} whatever is seen`),
  ];
  return texts.length > 0 ? [`Not compared: ${texts.join('; ')}.`] : [];
}

function rowLine(row: ComparedRow): string {
  const { first, second, iterations } = row;
  const share = ({ row: { failures } }: ComparedRow['first']): string =>
    `${failures?.successes}/${failures?.trials}`;
  // A p that is not small shows no equality: nothing is said about which fails more often, or as often.
  return iterations.verdict === 'not distinguishable at this N'
    ? `${subjectOf(row)}: ${first.label} ${share(first)}, ${second.label} ${share(second)}: ${iterations.verdict} (${pText(iterations.p)})`
    : `${subjectOf(row)}: ${first.label} fails ${iterations.verdict} than ${second.label} (${share(first)} vs ${share(second)}, ${pText(iterations.p)})`;
}

/** Failed iterations of the variants of a run, a line a comparison; nothing where no pair has data. */
export function failureLines(rows: readonly ComparedRow[]): string[] {
  const measured = rows.filter((row) => row.iterations.verdict !== 'no data');
  if (measured.length === 0) return [];
  const verdicts = measured.map((row) => row.iterations.verdict);
  return [
    verdicts.some(isTold)
      ? "Compared by Fisher's exact test, two-sided, on failed iterations:"
      : 'How often iterations failed, of each variant beside the first:',
    ...[
      ...measured.filter((row) => isTold(row.iterations.verdict)).map(rowLine),
      ...correctionLines(verdicts),
      ...leftOutLines(verdicts, 'in which no iteration failed, or every one'),
    ].map((line) => `  ${line}`),
  ];
}

function lossLine(pair: ComparedLosses): string {
  const { first, second, p, verdict } = pair;
  const [mean, other] = [meanOf(first.lossShares), meanOf(second.lossShares)];
  const shares = `${first.variant} ${percent(mean, 2)}%, ${second.variant} ${percent(other, 2)}%`;
  // One iteration that loses much makes a mean, many iterations make ranks.
  const against =
    (verdict === 'loses more' && mean < other) || (verdict === 'loses less' && mean > other)
      ? ' by rank, though not in the mean'
      : '';
  const told =
    verdict === 'not distinguishable at this N' ? verdict : `${first.variant} ${verdict}${against}`;
  return `${subjectOf(pair)}: ${shares}: ${told} (${pText(p)})`;
}

/** How much variants that lose lose, a line a comparison; nothing for no pair. */
export function lossLines(pairs: readonly ComparedLosses[]): string[] {
  if (pairs.length === 0) return [];
  const verdicts = pairs.map(({ verdict }) => verdict);
  return [
    verdicts.some(isTold)
      ? 'Lost share of acknowledged writes an iteration (mean), compared by the rank-sum test, two-sided:'
      : 'Lost share of acknowledged writes an iteration:',
    ...[
      ...pairs.filter(({ verdict }) => isTold(verdict)).map(lossLine),
      ...correctionLines(verdicts),
      ...leftOutLines(verdicts, 'with one and the same share in every iteration'),
    ].map((line) => `  ${line}`),
  ];
}

function comparedText(what: string, { p, verdict }: Comparison): string {
  return `  ${what}: ${verdict}${isTold(verdict) ? `, ${pText(p)}` : ''}`;
}

/** Two runs, row by row; nothing where they have no row in common. */
export function runLines(first: Summary, second: Summary, rows: readonly ComparedRow[]): string[] {
  if (rows.length === 0) return [];
  const counted = (text: string, { plan, done, planned }: Summary): string =>
    `${text}: run ${plan.id} (${done} of ${planned} cells)`;
  const iterations = rows.map((row) => row.iterations.verdict);
  const writes = rows.map((row) => row.writes.verdict);
  return [
    counted('First', first),
    counted('Second', second),
    '',
    ...rows.flatMap((row) => [
      `${row.first.row.variant} ${subjectOf(row)}`,
      `  first   ${resultText(row.first.row)}  ${lossText(row.first.row)}`,
      `  second  ${resultText(row.second.row)}  ${lossText(row.second.row)}`,
      comparedText('failed iterations', row.iterations),
      ...(row.writes.verdict === 'no data'
        ? []
        : [comparedText('lost writes, if they were independent', row.writes)]),
    ]),
    '',
    ...correctionLines(iterations, ' of failed iterations'),
    ...correctionLines(writes, ' of lost writes'),
  ];
}
