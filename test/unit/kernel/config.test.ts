// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { UserError } from '../../../src/core/errors.js';
import { droppedRequests, mergeConfig, readConfig, refuseDropped } from '../../../src/kernel/config.js';
import { lastWins, parseFragment } from '../../../src/kernel/fragment.js';

function message(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

describe('a fragment', () => {
  it('gives every assignment and every "is not set" with its line', () => {
    const text = '# why\nCONFIG_A=y\n\n# CONFIG_B is not set\nCONFIG_C="a b"\nCONFIG_D=0x10\nCONFIG_E=-5\n';
    expect(parseFragment(text, 'f').map(({ symbol, value, line }) => [symbol, value, line])).toEqual([
      ['CONFIG_A', 'y', 2],
      ['CONFIG_B', 'n', 4],
      ['CONFIG_C', '"a b"', 5],
      ['CONFIG_D', '0x10', 6],
      ['CONFIG_E', '-5', 7],
    ]);
  });

  it.each([
    ['BTRFS_FS=y', 'x.config:1: not a line of a kernel configuration'],
    ['CONFIG_A = y', 'not a line'],
    ['CONFIG_A=yes', 'x.config:1: CONFIG_A has the value "yes"'],
    ['CONFIG_A=', 'has the value ""'],
    ['CONFIG_A="open', 'has the value'],
  ])('with the line %j is refused, naming file and line', (line, expected) => {
    expect(message(() => parseFragment(`${line}\n`, 'x.config'))).toContain(expected);
  });

  it('that asks twice is taken at its last word', () => {
    const requests = parseFragment('CONFIG_A=y\nCONFIG_B=y\n# CONFIG_A is not set\n', 'f');
    expect(lastWins(requests).map(({ symbol, value, line }) => `${symbol} ${value} ${line}`)).toEqual([
      'CONFIG_A n 3',
      'CONFIG_B y 2',
    ]);
  });

  it('of the shipped ones parses, and asks for nothing twice in one file', () => {
    const folder = path.resolve(import.meta.dirname, '../../../vm/kernel');
    const files = readdirSync(folder).filter((name) => name.endsWith('.config'));
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      const requests = parseFragment(readFileSync(path.join(folder, file), 'utf8'), file);
      expect(lastWins(requests)).toHaveLength(requests.length);
    }
  });
});

describe('merging', () => {
  const base = '# Kernel\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=3\n';

  it('replaces what the base said, adds the rest, keeps comments', () => {
    const merged = mergeConfig(base, parseFragment('# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_D="x"\n', 'f'));
    expect(merged.split('\n').slice(0, 2)).toEqual(['# Kernel', 'CONFIG_C=3']);
    expect(Object.fromEntries(readConfig(merged))).toEqual({
      CONFIG_A: 'n',
      CONFIG_B: 'y',
      CONFIG_C: '3',
      CONFIG_D: '"x"',
    });
  });
});

describe('a symbol that the final .config does not honour', () => {
  const requests = parseFragment(
    'CONFIG_GONE=y\n# CONFIG_OFF is not set\nCONFIG_N=8\nCONFIG_OK=y\n',
    'my.config',
  );

  it('is found whether it is absent, switched, or has another value', () => {
    const final = 'CONFIG_OFF=y\nCONFIG_N=16\nCONFIG_OK=y\n';
    expect(droppedRequests(final, requests).map(({ request, became }) => [request.symbol, became])).toEqual([
      ['CONFIG_GONE', undefined],
      ['CONFIG_OFF', 'y'],
      ['CONFIG_N', '16'],
    ]);
  });

  it('is none when "is not set" is asked for and the symbol is not there', () => {
    expect(droppedRequests('CONFIG_GONE=y\nCONFIG_N=8\nCONFIG_OK=y\n', requests)).toEqual([]);
  });

  it('is refused with file, line, symbol, what it became, and the number of others', () => {
    const dropped = droppedRequests(
      '# CONFIG_GONE is not set\nCONFIG_OFF=y\nCONFIG_N=8\nCONFIG_OK=y\n',
      requests,
    );
    const text = message(() => refuseDropped(dropped, () => true));
    expect(text).toContain('my.config:1: CONFIG_GONE=y: CONFIG_GONE became # CONFIG_GONE is not set');
    expect(text).toContain('and 1 more: CONFIG_OFF at my.config:2');
  });

  it('that no Kconfig file defines is called misspelt, not dropped', () => {
    const dropped = droppedRequests('CONFIG_N=8\nCONFIG_OK=y\n', requests);
    expect(message(() => refuseDropped(dropped, () => false))).toContain('is no symbol of this kernel');
    expect(message(() => refuseDropped(dropped, () => true))).toContain('what it depends on is off');
  });
});
