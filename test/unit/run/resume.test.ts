// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { checkRestated, differences } from '../../../src/run/resume.js';
import type { Environment } from '../../../src/run/types.js';
import { planFake } from '../../helpers/fake-run.js';

const THEN: Environment = {
  enokey: '0.1.0',
  kernels: [
    {
      variant: 'soft',
      release: '7.3.4',
      commit: 'c',
      treeId: 't',
      configHash: 'h',
      artifactKey: 'k',
      compiler: 'gcc',
      profile: 'default',
    },
  ],
  image: { key: 'i', packages: {} },
  qemu: 'q',
  accelerator: { name: 'tcg', reason: '' },
  host: { cpu: 'x', cpus: 2, memoryMiB: 1, kernel: 'l' },
  guest: { cpus: 2, memoryMiB: 1024 },
  probes: 'p',
  fstests: { commit: 'f', timeFactor: 1, overrides: 'o' },
  port: 'n',
};

describe('the conditions of a run', () => {
  it.each([
    ['the image', { image: { key: 'j', packages: {} } }],
    ['the probes', { probes: 'r' }],
    ['fstests', { fstests: { commit: 'g', timeFactor: 1, overrides: 'o' } }],
    ['the overrides of fstests', { fstests: { commit: 'f', timeFactor: 1, overrides: 'u' } }],
    ['the port of generic/595', { port: 'm' }],
    ['QEMU', { qemu: 's' }],
    ['the kernel of soft', { kernels: [{ ...THEN.kernels[0]!, artifactKey: 'l' }] }],
  ])('differ in %s alone', (what, change) => {
    expect(differences(THEN, { ...THEN, ...change })).toEqual([
      expect.stringMatching(new RegExp(`^${what} was .* is now `)),
    ]);
  });

  it('are the same when nothing changed, and when an older version did not record something', () => {
    expect(differences(THEN, THEN)).toEqual([]);
    const { port: _, ...older } = { ...THEN, fstests: { commit: 'f', timeFactor: 1 } };
    expect(differences(older, THEN)).toEqual([]);
  });
});

describe('what a resume is told again', () => {
  it('must be as planned, iterations of single tests included', async () => {
    const plan = await planFake({ iterations: 2, testIterations: { mmap: 4 } });
    const again = { iterations: 2, testIterations: { 'probe/mmap': 4 } };
    expect(() => checkRestated(plan, again)).not.toThrow();
    expect(() => checkRestated(plan, { ...again, testIterations: { 'probe/mmap': 5 } })).toThrow(
      /was planned with testIterations probe\/mmap=4, not probe\/mmap=5/,
    );
  });
});
