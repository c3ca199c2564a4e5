// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { judge } from '../../../src/run/standing.js';

const fail = { outcome: 'fail', summary: 'output mismatch', cases: {} } as const;

describe('how a test of fstests stands to a contract that does not name it', () => {
  it('is unexpected when it fails', () => {
    expect(judge({}, { filesystem: 'ext4', test: 'generic/397' }, 'fail', fail, []).standing).toBe(
      'unexpected',
    );
    expect(judge({}, { filesystem: 'ext4', test: 'generic/595 (port)' }, 'fail', fail, []).standing).toBe(
      'unexpected',
    );
  });

  it('is not when it passes or is notrun', () => {
    for (const outcome of ['pass', 'notrun'] as const) {
      expect(
        judge({}, { filesystem: 'ext4', test: 'generic/397' }, outcome, undefined, []).standing,
      ).not.toBe('unexpected');
    }
  });

  it('leaves the failure of a probe to contracts', () => {
    expect(judge({}, { filesystem: 'ext4', test: 'probe/race-append' }, 'fail', fail, []).standing).toBe(
      'no-contract',
    );
  });

  it('takes a failure that the contract allows as contracted', () => {
    const contract = { btrfs: { 'generic/595': { outcome: ['fail'] as const } } };
    expect(judge(contract, { filesystem: 'btrfs', test: 'generic/595' }, 'fail', fail, []).standing).toBe(
      'as-contracted',
    );
  });
});
