// SPDX-License-Identifier: GPL-2.0-only
import type { Proportion } from '../stats/interval.js';

/** Strips what could drive a terminal: some of the texts come from a guest. */
export function clean(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}

/**
 * A share (0..1) in per cent, without the sign. Rounding never makes none of some, nor all of nearly all: `<0.01`,
 * `>99.99`.
 */
export function percent(share: number, decimals: number): string {
  const text = (share * 100).toFixed(decimals);
  const step = 10 ** -decimals;
  if (share > 0 && Number(text) === 0) return `<${step.toFixed(decimals)}`;
  if (share < 1 && Number(text) === 100) return `>${(100 - step).toFixed(decimals)}`;
  return text;
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
  return {
    value: `${percent(estimate, decimals)}%`,
    interval: `[${percent(low, decimals)}, ${percent(high, decimals)}]`,
  };
}

/** `42% (21/50)`, or `<1% (1/500)`: how git-send-email'd summaries show flaky tests. */
export function flaky(events: number, trials: number): string {
  return `${percent(events / trials, 0)}% (${events}/${trials})`;
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

/** Words of a command line that is quoted for a POSIX shell, as they stand there: quotes stay. */
function shellWords(command: string): readonly string[] {
  return command.match(/(?:'[^']*'|\\.|[^\s'\\]|['\\])+/g) ?? [];
}

/** Puts options together with their values where both fit into so many columns. */
function withValues(words: readonly string[], columns: number): readonly string[] {
  const pieces: string[] = [];
  for (const word of words) {
    const last = pieces.at(-1) ?? '';
    const isValue = /^-\S*$/.test(last) && !word.startsWith('-');
    if (isValue && last.length + 1 + word.length <= columns) pieces[pieces.length - 1] = `${last} ${word}`;
    else pieces.push(word);
  }
  return pieces;
}

/**
 * Breaks a command line so that it can still be pasted into a shell: only between words, with ` \` at the end of each
 * line but the last. No line is longer than `width`, unless its only word is.
 * @param first indent of the first line, columns
 * @param indent indent of the others
 */
export function foldCommand(command: string, width: number, first: number, indent: number): string[] {
  const backslash = ' \\';
  const columns = width - backslash.length;
  const lines: string[] = [];
  let line = '';
  for (const piece of withValues(shellWords(command), columns - indent)) {
    if (line !== '' && line.length + 1 + piece.length > columns) {
      lines.push(line + backslash);
      line = '';
    }
    line = line === '' ? ' '.repeat(lines.length === 0 ? first : indent) + piece : `${line} ${piece}`;
  }
  return [...lines, line];
}
