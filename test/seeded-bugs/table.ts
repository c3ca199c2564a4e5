// SPDX-License-Identifier: GPL-2.0-only

export interface Row {
  readonly bug: string;
  readonly variant: string;
  readonly profile: string;
  readonly test: string;
  readonly caught: boolean;
  /** What the test said. One line. */
  readonly seen: string;
}

const HEAD = ['bug', 'variant', 'kernel', 'test', '', 'seen'];

/** A line a bug and a last line with the count; as aligned text, or as Markdown. */
export function table(rows: readonly Row[], markdown: boolean): string {
  const cells = rows.map((row) => [
    row.bug,
    row.variant,
    row.profile,
    row.test,
    row.caught ? 'caught' : 'NOT CAUGHT',
    row.seen,
  ]);
  const caught = rows.filter((row) => row.caught).length;
  const last = `${caught} of ${rows.length} caught`;
  if (markdown) {
    const line = (words: readonly string[]): string =>
      `| ${words.map((word) => word.replaceAll('|', '\\|')).join(' | ')} |\n`;
    return `${line(HEAD)}${line(HEAD.map(() => '---'))}${cells.map(line).join('')}\n${last}\n`;
  }
  const lines = [HEAD, ...cells];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((word, column) => word.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n${last}\n`;
}
