// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import type { Contract } from '../../../src/config/types.js';
import type { Outcome } from '../../../src/core/outcome.js';
import type { Reading } from '../../../src/probe/types.js';
import { judge } from '../../../src/run/standing.js';

const CELL = { filesystem: 'btrfs', test: 'probe/open-fd' };

function reading(
  outcome: Reading['outcome'],
  cases: Record<string, string>,
  errnos: Record<string, Record<string, number>> = {},
): Reading {
  return {
    outcome,
    summary: '',
    cases,
    perCase: Object.entries(cases).map(([name, verdict]) => ({
      name,
      verdict,
      counts: { attempts: 1, acknowledged: 0, lost: 0, wrong: 0, refused: 1, failed: 0 },
      errnos,
    })),
  };
}

function contract(expectation: Contract[string][string]): Contract {
  return { btrfs: { 'probe/open-fd': expectation } };
}

describe('a cell against its contract', () => {
  it('is as contracted when its outcome is allowed, and unexpected when not', () => {
    const failing = contract({ outcome: ['fail'] });
    expect(judge(failing, CELL, 'fail', undefined, []).standing).toBe('as-contracted');
    expect(judge(failing, CELL, 'pass', undefined, [])).toEqual({
      standing: 'unexpected',
      detail: 'pass, contract: fail',
    });
  });

  it('takes the entry of the file system before that of all', () => {
    const both: Contract = {
      all: { 'probe/open-fd': { outcome: ['fail'] } },
      btrfs: { 'probe/open-fd': { outcome: ['pass'] } },
    };
    expect(judge(both, CELL, 'pass', undefined, []).standing).toBe('as-contracted');
    expect(judge(both, { ...CELL, filesystem: 'ext4' }, 'fail', undefined, []).standing).toBe(
      'as-contracted',
    );
  });

  it('compares observations, in each case that has them', () => {
    const observing = contract({ outcome: ['pass'], observations: { syncfs_errors: 0 } });
    const seen = (...values: (number | undefined)[]): Reading => ({
      outcome: 'pass',
      summary: '',
      cases: {},
      perCase: values.map((value, index) => ({
        name: `case-${index}`,
        verdict: 'refused',
        counts: { attempts: 1, acknowledged: 0, lost: 0, wrong: 0, refused: 1, failed: 0 },
        errnos: {},
        ...(value !== undefined && { observations: { syncfs_errors: value } }),
      })),
    });
    expect(judge(observing, CELL, 'pass', seen(0, undefined, 0), []).standing).toBe('as-contracted');
    expect(judge(observing, CELL, 'pass', seen(0, 2), []).detail).toBe('case-1 syncfs_errors 2, contract: 0');
    expect(judge(observing, CELL, 'pass', seen(undefined), []).detail).toBe(
      'syncfs_errors was not observed, contract: 0',
    );
  });

  it('compares cases', () => {
    const cases = contract({ cases: { 'gap=none': ['kept'], 'gap=fsync': ['lost'] } });
    expect(
      judge(cases, CELL, 'fail', reading('fail', { 'gap=none': 'kept', 'gap=fsync': 'lost' }), []).standing,
    ).toBe('as-contracted');
    expect(
      judge(cases, CELL, 'fail', reading('fail', { 'gap=none': 'lost', 'gap=fsync': 'lost' }), []),
    ).toMatchObject({
      standing: 'unexpected',
      detail: 'gap=none lost, contract: kept',
    });
    expect(judge(cases, CELL, 'pass', reading('pass', { 'gap=none': 'kept' }), []).detail).toMatch(
      /gap=fsync was not measured/,
    );
  });

  it('takes an errno for a refusal by that errno alone', () => {
    const refused = contract({ cases: { x: ['ENOKEY'] } });
    const by = (errnos: Record<string, Record<string, number>>) =>
      judge(refused, CELL, 'pass', reading('pass', { x: 'refused' }, errnos), []).standing;
    expect(by({ open: { ENOKEY: 3 } })).toBe('as-contracted');
    expect(by({ open: { ENOKEY: 3, ENOENT: 1 } })).toBe('as-contracted');
    expect(by({ open: { EIO: 1 } })).toBe('unexpected');
    expect(by({ open: { ENOKEY: 3 }, write: { EIO: 1 } })).toBe('unexpected');
    expect(by({ remove_key: { EBUSY: 1 }, open: { ENOKEY: 1 } })).toBe('as-contracted');
  });

  it.each<Outcome>(['notrun', 'inconclusive', 'infra', 'boot-error', 'oops', 'hang', 'lost'])(
    'does not take %s for a pass',
    (outcome) => {
      expect(judge(contract({ outcome: ['pass'] }), CELL, outcome, undefined, []).standing).toBe(
        'unexpected',
      );
      expect(judge(contract({ cases: {} }), CELL, outcome, undefined, []).standing).toBe('unexpected');
      const observing = contract({ observations: { syncfs_errors: 0 } });
      expect(judge(observing, CELL, outcome, undefined, [])).toMatchObject({
        standing: 'unexpected',
        detail: `${outcome}, contract: pass or fail`,
      });
    },
  );

  it('without an entry has nothing to compare, but a crash is unexpected', () => {
    expect(judge({}, CELL, 'fail', undefined, []).standing).toBe('no-contract');
    expect(judge({}, CELL, 'notrun', undefined, []).standing).toBe('no-contract');
    expect(judge({}, CELL, 'oops', undefined, []).standing).toBe('unexpected');
    expect(judge({}, CELL, 'hang', undefined, []).standing).toBe('unexpected');
  });

  it('is unexpected with a lockdep or KASAN report, not with a message of the file system', () => {
    const passing = contract({ outcome: ['pass'] });
    expect(judge(passing, CELL, 'pass', undefined, ['lockdep'])).toMatchObject({
      standing: 'unexpected',
      detail: 'lockdep in the console',
    });
    expect(judge({}, CELL, 'pass', undefined, ['kasan']).standing).toBe('unexpected');
    expect(judge(passing, CELL, 'pass', undefined, ['btrfs']).standing).toBe('as-contracted');
  });
});
