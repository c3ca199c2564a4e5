// SPDX-License-Identifier: GPL-2.0-only

/** What one read or write command of xfs_io took. */
export interface Figure {
  /** Nanoseconds of the guest's clock for one call. */
  readonly nsPerCall: number;
  readonly bytes: number;
  readonly calls: number;
  /** Bytes that the device read and wrote meanwhile. */
  readonly deviceRead: number;
  readonly deviceWritten: number;
}

const SECTOR = 512;

/**
 * Shell functions for a script in a guest; `device` is the node of a whole disk.
 * `measure NAME FILE [COMMAND ...] LAST` runs commands of xfs_io(8) on a file, of which the last is `pwrite -C ...` or
 * `pread -C ...`, and prints what parseFigures reads. `cold` writes out and drops what the page cache has.
 */
export const FUNCTIONS = (device: string): string => `
stat_of() { cat "/sys/block/$(basename "$(readlink -f ${device})")/stat"; }
cold() { sync; echo 1 >/proc/sys/vm/drop_caches; }
measure() {
  local name=$1 file=$2 before commands=()
  shift 2
  for command; do commands+=(-c "$command"); done
  before=$(stat_of)
  echo "$name $(xfs_io -f "\${commands[@]}" "$file" | tail -n 1) $before $(stat_of)"
}
`;

/**
 * Reads the lines of `measure` by their names. A line has xfs_io's compact report (bytes, calls, time, bytes a second,
 * calls a second) and the device's /sys/block/DEVICE/stat before and after, whose third field is sectors read and the
 * seventh sectors written (Documentation/block/stat.rst).
 * @throws Error for any other line
 */
export function parseFigures(text: string): Map<string, Figure> {
  const figures = new Map<string, Figure>();
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [name = '', report = '', ...counters] = line.trim().split(/\s+/);
    const [bytes, calls, , , callsPerSecond] = report.split(',').map(Number);
    const half = counters.length / 2;
    const sectors = (at: number): number => Number(counters[half + at]) - Number(counters[at]);
    const figure = {
      nsPerCall: 1e9 / (callsPerSecond ?? NaN),
      bytes: bytes ?? NaN,
      calls: calls ?? NaN,
      deviceRead: sectors(2) * SECTOR,
      deviceWritten: sectors(6) * SECTOR,
    };
    if (!calls || half < 11 || !Object.values(figure).every(Number.isFinite) || figures.has(name))
      throw new Error(`not a line of measure: ${line}`);
    figures.set(name, figure);
  }
  return figures;
}
