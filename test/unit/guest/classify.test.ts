// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { classify, type Evidence } from '../../../src/guest/classify.js';

const nothing: Evidence = { finished: false, timedOut: false, limitMs: 5000 };
const panic = { kind: 'panic' as const, title: 'Kernel panic - not syncing: x', lines: [], complete: true };

describe('classify', () => {
  it('leaves the outcome to the work when its exit status came and the guest lives', () => {
    expect(classify({ ...nothing, finished: true })).toEqual({});
  });

  it.each<[string, Evidence]>([
    ['the command returned', { ...nothing, finished: true, fatal: panic }],
    ['QEMU has ended', { ...nothing, fatal: panic, qemuExit: { code: 0, signal: undefined } }],
    ['the limit passed', { ...nothing, fatal: panic, timedOut: true }],
  ])('says oops when the kernel said so although %s', (_what, evidence) => {
    expect(classify(evidence)).toEqual({ outcome: 'oops', reason: panic.title });
  });

  it('says lost when QEMU ended, even after the command returned', () => {
    expect(
      classify({ ...nothing, finished: true, qemuExit: { code: undefined, signal: 'SIGKILL' } }),
    ).toEqual({
      outcome: 'lost',
      reason: 'QEMU was ended by SIGKILL',
    });
    expect(classify({ ...nothing, qemuExit: { code: 0, signal: undefined } }).reason).toMatch(
      /reset or powered off/,
    );
    expect(
      classify({ ...nothing, qemuExit: { code: 1, signal: undefined }, qemuSaid: 'no space' }).reason,
    ).toMatch(/1: no space$/);
  });

  it('says hang when time passed, when nothing answers, and when no new session can be had', () => {
    expect(classify({ ...nothing, timedOut: true })).toEqual({
      outcome: 'hang',
      reason: 'the command did not end within 5.0 s',
    });
    expect(classify({ ...nothing, silentMs: 37_000, machine: 'paused' })).toEqual({
      outcome: 'hang',
      reason: 'the guest did not answer for 37 s; QEMU: paused',
    });
    expect(classify({ ...nothing, reconnected: false }).outcome).toBe('hang');
  });

  it('never takes a missing exit status for a result: a session lost beside a live guest is infra', () => {
    expect(classify({ ...nothing, reconnected: true }).outcome).toBe('infra');
  });

  it('ends a guest that floods its console', () => {
    expect(classify({ ...nothing, finished: true, flooded: true }).outcome).toBe('infra');
  });
});
