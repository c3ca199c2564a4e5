// SPDX-License-Identifier: GPL-2.0-only
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';

import { mailText, MAIL_WIDTH } from '../../../src/report/mail.js';
import { summarise } from '../../../src/report/summary.js';
import { foldCommand } from '../../../src/report/text.js';
import { run } from '../../../src/system/process.js';
import type { RunPlan } from '../../../src/run/types.js';
import { five, runOf } from './support.js';

const COMMAND =
  "enokey matrix --variants hard,sync,freeze,soft,prep-write@4,prep-write --fs btrfs,ext4,f2fs --tests 'probes,generic/595,generic/595 (port)' -n '3,generic/595=20,generic/595 (port)=10' --seed 2918615417 --quick";

/** What stands in the mail below "To repeat it:". */
function repeatOf(changes: Partial<RunPlan>): string[] {
  const lines = mailText(summarise(runOf(five([0]), changes)))
    .trimEnd()
    .split('\n');
  return lines.slice(lines.indexOf('To repeat it:') + 1);
}

/** The words that a shell makes of it. */
async function wordsOf(lines: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run('sh', ['-c', `printf '%s\\n' ${lines.join('\n')}`]);
  return stdout.trimEnd().split('\n');
}

describe('the command that repeats a run', () => {
  it('can be pasted into a shell as it stands in the mail', async () => {
    const lines = repeatOf({ command: COMMAND });
    expect(lines).toEqual([
      '    enokey matrix \\',
      '        --variants hard,sync,freeze,soft,prep-write@4,prep-write \\',
      '        --fs btrfs,ext4,f2fs \\',
      "        --tests 'probes,generic/595,generic/595 (port)' \\",
      "        -n '3,generic/595=20,generic/595 (port)=10' --seed 2918615417 \\",
      '        --quick',
    ]);
    expect(await wordsOf(lines)).toEqual(await wordsOf([COMMAND]));
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(MAIL_WIDTH);
  });

  it.each([
    "enokey matrix --tree '/home/it'\\''s mine/linux tree' -n 5",
    `enokey matrix --tree ${'/d'.repeat(70)} --fstests ${'/e'.repeat(40)} -n 5`,
    `enokey matrix --tree '${'/d d'.repeat(40)}' --quick`,
    'enokey',
  ])('keeps the words of %s', async (command) => {
    for (const width of [20, 30, 72]) {
      const lines = foldCommand(command, width, 4, 8);
      expect(await wordsOf(lines)).toEqual(await wordsOf([command]));
    }
  });

  it('has no backslash when it fits a line', () => {
    expect(repeatOf({ command: 'enokey matrix -n 5' })).toEqual(['    enokey matrix -n 5']);
  });

  it('names the exclusions of enokey.yaml, which no flag says', () => {
    const leftOut = [
      { test: 'generic/595', filesystem: 'ext4', cells: 20 },
      { test: 'mmap', cells: 0 },
    ];
    const command = 'enokey matrix -n 5';
    expect(repeatOf({ command, leftOut }).join(' ')).toMatch(
      /^ {4}enokey matrix -n 5 The exclusions of enokey\.yaml, listed above \("Left out:"\), belong to the command/,
    );
    expect(repeatOf({ command, leftOut: leftOut.slice(1) })).toHaveLength(1);
  });
});

describe('what a run has of enokey.yaml', () => {
  const fromConfig = {
    variants: [{ name: 'mine@2', title: 'my take on key removal' }],
    probeArgs: {
      'probe/race-append': ['--writers', '4', '--record', 'aligned64k', '--present-us', '9000', '--no-flush'],
      'probe/open-fd': ['--gap', 'none,it\'s "quoted"'],
    },
  };
  const mail = mailText(summarise(runOf(five([0]), { fromConfig })));

  it('stands in the header', () => {
    const text = mail.slice(0, mail.indexOf('kernel ')).replaceAll(/\s+/g, ' ');
    expect(text).toContain('From enokey.yaml: variant mine@2 (my take on key removal)');
    expect(text).toContain('From enokey.yaml: probe/race-append --writers 4 --record aligned64k');
  });

  it('can be put into an enokey.yaml as it stands below the command', () => {
    const lines = repeatOf({ command: 'enokey matrix -n 5', fromConfig });
    const at = lines.indexOf('with this in enokey.yaml, for which it has no flags:');
    expect(lines.slice(0, at)).toEqual(['    enokey matrix -n 5']);
    const end = lines.findIndex((line, index) => index > at && !line.startsWith(' '));
    expect(load(lines.slice(at + 1, end).join('\n'))).toEqual({ probeArgs: fromConfig.probeArgs });
    expect(lines.slice(end).join(' ')).toContain('Defined in enokey.yaml, and no part of enokey: mine@2.');
    for (const line of mail.split('\n')) expect(line.length, line).toBeLessThanOrEqual(MAIL_WIDTH);
  });

  it('is not mentioned when it is nothing', () => {
    expect(mailText(summarise(runOf(five([0]))))).not.toContain('enokey.yaml');
  });
});

describe('the notes of the mail', () => {
  it('say what is lost', () => {
    const text = mailText(summarise(runOf(five([0])))).replaceAll(/\s+/g, ' ');
    expect(text).toContain(
      'Lost: acknowledged writes that do not read back as they were written, be they missing or wrong.',
    );
  });

  it('say when an interval assumes independent writes', () => {
    const text = mailText(summarise(runOf(five([0])))).replaceAll(/\s+/g, ' ');
    expect(text).toContain(
      'With a single iteration, with 0 lost and with 100% lost it cannot, and assumes independent writes.',
    );
  });
});
