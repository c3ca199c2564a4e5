// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { ConsoleTail } from '../../../src/guest/console-lines.js';
import { ConsoleScanner, scanConsole, type ScanResult } from '../../../src/guest/console-scan.js';

const CORPUS = path.resolve(import.meta.dirname, '../../fixtures/console');

async function lines(name: string): Promise<string[]> {
  const tail = new ConsoleTail(path.join(CORPUS, `${name}.log`));
  return [...(await tail.read()), ...tail.flush()];
}
/** `kind: title` of each report. */
const summary = (result: ScanResult): string[] =>
  result.reports.map(({ kind, title }) => `${kind}: ${title}`);

const EXPECTED: Record<string, { marks: string[]; fatal?: RegExp; reports: RegExp[] }> = {
  'healthy-boot': { marks: [], reports: [] },
  'panic-sysrq': {
    marks: [],
    fatal: /^Kernel panic - not syncing: sysrq triggered crash/,
    reports: [/^panic: /],
  },
  'oops-null': {
    marks: [],
    fatal: /^BUG: kernel NULL pointer dereference/,
    reports: [/^oops: BUG: kernel NULL/],
  },
  'oops-gp-then-panic': {
    marks: [],
    fatal: /^Oops: general protection fault/,
    reports: [/^oops: Oops: gen/, /^panic: Kernel panic - not syncing: Fatal exception/],
  },
  'bug-on': {
    marks: [],
    fatal: /^kernel BUG at fs\/btrfs\/extent_io\.c:2021!/,
    reports: [/^oops: kernel BUG/],
  },
  'panic-torn': {
    marks: [],
    fatal: /^Kernel panic - not syncing: Attempted to kill init!/,
    reports: [/^panic: /],
  },
  'oops-cut-short': { marks: [], fatal: /^BUG: unable to handle page fault/, reports: [/^oops: /] },
  warn: {
    marks: ['warn'],
    reports: [
      /^warn: refcount_t: underflow|^warn: WARNING: lib\/refcount/,
      /^warn: WARNING: CPU: 0 PID: 91 at fs\/crypto/,
    ],
  },
  'lockdep-circular': { marks: ['lockdep'], reports: [/^lockdep: WARNING: possible circular/] },
  'lockdep-rcu-and-sleep': {
    marks: ['lockdep'],
    reports: [/^lockdep: WARNING: suspicious RCU usage/, /^lockdep: BUG: sleeping function/],
  },
  kasan: { marks: ['kasan'], reports: [/^kasan: BUG: KASAN: slab-use-after-free in lkdtm_WRITE_AFTER_FREE/] },
  'hung-task': { marks: ['hung-task'], reports: [/kworker\/u8:2:71 blocked/, /probe:101 blocked/] },
  lockups: {
    marks: ['soft-lockup'],
    reports: [/soft lockup - CPU#1/, /detected stalls/, /workqueue lockup/],
  },
  filesystems: {
    marks: ['btrfs', 'fscrypt', 'ext4', 'f2fs'],
    reports: [
      /^btrfs: BTRFS error/,
      /^btrfs: BTRFS critical/,
      /^ext4: EXT4-fs error/,
      /^ext4: .*Delayed/,
      /^f2fs: /,
      /^fscrypt: .*Error -126/,
    ],
  },
  'btrfs-abort': { marks: ['btrfs'], reports: [/^btrfs: /, /^btrfs: BTRFS: error/] },
  'caller-and-colours': { marks: ['warn'], reports: [/^warn: WARNING: fs\/inode\.c/] },
};

describe('scanConsole', () => {
  it('has an expectation for every log of the corpus', () => {
    const logs = readdirSync(CORPUS).filter((name) => name.endsWith('.log'));
    expect(logs.map((name) => name.slice(0, -4)).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(Object.entries(EXPECTED))('reads %s', async (name, expected) => {
    const result = scanConsole(await lines(name));
    const found = summary(result);
    expect(result.marks, found.join('\n')).toEqual(expected.marks);
    expect(found, found.join('\n')).toHaveLength(expected.reports.length);
    expected.reports.forEach((pattern, at) => expect(found[at]).toMatch(pattern));
    if (expected.fatal) expect(result.fatal?.title).toMatch(expected.fatal);
    else expect(result.fatal).toBeUndefined();
  });

  it.each([
    ['lockdep-circular', 0, /^={20,}$/, /<\/TASK>/],
    ['kasan', 0, /^={20,}$/, /^={20,}$/],
    ['warn', 0, /cut here/, /end trace/],
    ['bug-on', 0, /cut here/, /end trace/],
    ['oops-null', 0, /NULL pointer/, /end trace/],
    ['panic-sysrq', 0, /sysrq triggered/, /Kernel Offset/],
  ] as const)('keeps the report of %s whole', async (name, at, first, last) => {
    const report = scanConsole(await lines(name)).reports[at];
    const text = (report?.lines ?? []).map((line) => line.replace(/^\[.*?\] /, ''));
    expect(text[0]).toMatch(first);
    expect(text.at(-1)).toMatch(last);
    expect(report?.complete).toBe(true);
  });

  it('keeps what there is of a report whose end never came, and says so', async () => {
    expect(scanConsole(await lines('oops-cut-short')).fatal).toMatchObject({
      complete: false,
      lines: { length: 4 },
    });
  });

  it('knows of a fatal report from its first line on, before its end', async () => {
    const scanner = new ConsoleScanner();
    const all = await lines('oops-null');
    scanner.push(all[0] ?? '');
    expect(scanner.fatal).toBe(false);
    scanner.push(all[1] ?? '');
    expect([scanner.fatal, scanner.open]).toEqual([true, true]);
  });

  it('does not grow without bound on an endless report or endless reports', () => {
    const scanner = new ConsoleScanner();
    for (let at = 0; at < 100; at++) {
      scanner.push(`[    1.000000] WARNING: a.c:1 at f+0x1/0x2, CPU#0: x/1`);
      for (let line = 0; line < 1000; line++) scanner.push(`[    1.000000]  g+0x1/0x2`);
    }
    const { reports } = scanner.end();
    expect(reports.length).toBeLessThanOrEqual(50);
    expect(Math.max(...reports.map((report) => report.lines.length))).toBeLessThanOrEqual(600);
  });
});
