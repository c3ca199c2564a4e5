// SPDX-License-Identifier: GPL-2.0-only
import { OUTCOMES } from '../core/outcome.js';
import type { Row } from './summary.js';
import { plural, shorten, caseText, clean, duration, errnoText, flaky, percentages } from './text.js';

/** `pass 5/5`, `flaky 42% (21/50)`, `fail 5/5`, `notrun 5/5`, `-` before the first result. */
export function resultText(row: Row): string {
  if (row.done === 0) return 'not yet run';
  const { failures } = row;
  if (!failures) {
    return OUTCOMES.filter((outcome) => row.outcomes[outcome])
      .map((outcome) => `${outcome} ${row.outcomes[outcome]}/${row.planned}`)
      .join(', ');
  }
  if (failures.successes === 0) return `pass ${failures.trials}/${row.planned}`;
  if (failures.successes === failures.trials) return `fail ${failures.trials}/${row.planned}`;
  return `flaky ${flaky(failures.successes, failures.trials)}`;
}

/** Cells that are neither pass nor fail, which must not hide among failures: `hang 1, infra 2`. */
export function otherText(row: Row): string {
  if (!row.failures) return '';
  return OUTCOMES.filter((outcome) => outcome !== 'pass' && outcome !== 'fail' && row.outcomes[outcome])
    .map((outcome) => `${outcome} ${row.outcomes[outcome]}`)
    .join(', ');
}

/** What came back wrong: of an append race a part of what is lost, of a probe places of writes that are lost or not. */
function wrongText(test: string, wrong: number): string {
  if (wrong === 0) return '';
  return test.startsWith('probe/') ? `, ${wrong} wrong` : ` (${wrong} wrong)`;
}

/**
 * `0/25013 lost  0.00% [0.00, 0.02]`; `27/90 lost (3 wrong)  30.00% [...]`; `12/15 lost` for a test whose losses have
 * no rate; `at least 7/90 lost` where only that is known; `losses not counted`.
 */
export function lossText(row: Row): string {
  const { counts, losses, uncounted } = row;
  if (!counts) return uncounted > 0 ? 'losses not counted' : '';
  if (row.unit === 'read' || row.unit === 'open') {
    const lost = counts.lost + counts.wrong > 0 ? `, ${counts.lost} lost, ${counts.wrong} wrong` : '';
    return `${counts.acknowledged}/${counts.attempts} ${row.unit}s worked${lost}`;
  }
  // More lost than acknowledged is no share of them.
  const of = counts.lost <= counts.acknowledged ? `/${counts.acknowledged}` : '';
  const text = `${counts.atLeast ? 'at least ' : ''}${counts.lost}${of} lost${wrongText(row.test, counts.wrong)}`;
  const left = uncounted > 0 ? `, ${plural(uncounted, 'iteration')} not counted` : '';
  if (!losses) return text + left;
  const { value, interval } = percentages(losses);
  return `${text}  ${value} ${interval}${left}`;
}

/** The main figure with its interval: `failed 20.00% [3.62, 62.45]`. */
export function failureText(row: Row): string {
  if (!row.failures) return '';
  const { value, interval } = percentages(row.failures);
  return `${row.failures.successes}/${row.failures.trials} iterations failed, ${value} ${interval}`;
}

/** Cases, where they say more than the outcome. */
export function casesText(row: Row): string {
  return Object.entries(row.cases)
    .map(([name, tally]) => caseText(name, tally))
    .join(', ');
}

export function removalText(row: Row): string {
  const { removal } = row;
  if (!removal) return '';
  const { median, p99 } = removal.latencyUs;
  const busy = removal.statusFlags['FILES_BUSY'] ?? 0;
  return `${plural(removal.count, 'removal')}, ${removal.overlapped} met a writer, ${busy} FILES_BUSY; median ${duration(median)}, p99 ${duration(p99)}`;
}

/** Further lines on a row, most telling first. */
export function details(row: Row): string[] {
  const lines: string[] = [];
  const [first] = row.unexpected;
  if (first) {
    const more = row.unexpected.length > 1 ? ` (and ${row.unexpected.length - 1} more)` : '';
    lines.push(`!! not as contracted: ${shorten(clean(first.detail), 200)}${more}; see ${first.files}`);
  }
  const others = otherText(row);
  if (others) lines.push(`no result: ${others}`);
  if (row.remarks[0] && !row.unexpected.length) lines.push(shorten(clean(row.remarks[0]), 200));
  if (row.failures && row.failures.successes > 0) lines.push(failureText(row));
  const effect = row.losses?.designEffect;
  if (effect !== undefined && effect > 1)
    lines.push(`losses come in bursts: design effect ${effect.toFixed(1)}`);
  if (row.counts?.atLeast)
    lines.push('at least: not counted are bytes that read back wrong, and there are some');
  if (row.uncounted > 0) {
    lines.push(
      `losses of ${plural(row.uncounted, 'iteration')} not counted: the file could not be read, or has more than was acknowledged`,
    );
  }
  if (casesText(row)) lines.push(casesText(row));
  if (removalText(row)) lines.push(removalText(row));
  const errnos = errnoText(row.errnos);
  if (errnos) lines.push(errnos);
  const marks = Object.entries(row.marks).map(([mark, count]) => `${mark} in ${count}`);
  if (marks.length > 0) lines.push(`console reports: ${marks.join(', ')}`);
  if (row.retries > 0) lines.push(`${row.retries} further tries after boot-error or infra`);
  if (row.done > 0 && row.done < row.planned) lines.push(`partial: ${row.done} of ${row.planned} iterations`);
  return lines;
}
