// SPDX-License-Identifier: GPL-2.0-only
import type { Proportion } from '../stats/interval.js';

/** Strips what could drive a terminal: some of the texts come from a guest. */
export function clean(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}

/**
 * Percentages of one figure and its interval with the same number of decimals: two, or as many (up to six) as
 * the upper bound needs to be seen.
 */
export function percentages({ estimate, low, high }: Pick<Proportion, 'estimate' | 'low' | 'high'>): {
  readonly value: string;
  readonly interval: string;
} {
  let decimals = 2;
  while (decimals < 6 && high > 0 && high * 100 < 10 ** -decimals) decimals++;
  const show = (fraction: number): string => (fraction * 100).toFixed(decimals);
  return { value: `${show(estimate)}%`, interval: `[${show(low)}, ${show(high)}]` };
}

/** `42% (21/50)`, or `0% (0/5)`: how git-send-email'd summaries show flaky tests. */
export function flaky(events: number, trials: number): string {
  return `${Math.round((events / trials) * 100)}% (${events}/${trials})`;
}

/** At most `limit` characters, the last of which says that there is more. */
export function shorten(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 3)}...`;
}

/** `1 boot`, `2 boots` */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Microseconds with a unit that keeps them short. */
export function duration(us: number): string {
  if (us < 1000) return `${us} us`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`;
  return `${(us / 1_000_000).toFixed(1)} s`;
}

/** `ENOKEY x3, EIO` ... by system call: `open ENOKEY x12; write EIO`. */
export function errnoText(errnos: Readonly<Record<string, Readonly<Record<string, number>>>>): string {
  return Object.entries(errnos)
    .map(([call, tally]) => {
      const names = Object.entries(tally).filter(([, count]) => count > 0);
      return names.length > 0
        ? `${call} ${names.map(([name, count]) => `${name} x${count}`).join(', ')}`
        : '';
    })
    .filter((text) => text !== '')
    .join('; ');
}

/** `gap=fsync kept`, or with several verdicts `gap=fsync kept x3, lost x2`. */
export function caseText(name: string, tally: Readonly<Record<string, number>>): string {
  const verdicts = Object.entries(tally);
  if (verdicts.length === 1) return `${name} ${verdicts[0]?.[0]}`;
  return `${name} ${verdicts.map(([verdict, count]) => `${verdict} x${count}`).join(', ')}`;
}

/**
 * Breaks text at spaces so that no line is longer than `width`; lines after the first are indented. A word that
 * is longer than a line is cut.
 */
export function fold(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  const hanging = ' '.repeat(indent);
  let line = '';
  for (const found of text.match(/\s*\S+/g) ?? ['']) {
    // Runs of spaces are columns: they stay inside a line and go at a break.
    let piece = found;
    if (line !== '' && line.length + piece.length > width) {
      lines.push(line);
      line = '';
      piece = hanging + found.trimStart();
    }
    line += piece;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = hanging + line.slice(width);
    }
  }
  if (line.trim() !== '') lines.push(line);
  return lines;
}
