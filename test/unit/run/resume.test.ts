// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { UserError } from '../../../src/core/errors.js';
import { UPSTREAM } from '../../../src/fstests/source.js';
import { checkRestated, checkSameConditions, differences, type Restated } from '../../../src/run/resume.js';
import type { Environment, RunPlan } from '../../../src/run/types.js';
import { recordVariant } from '../../../src/run/variant-record.js';
import { fakeVariant } from '../../helpers/fake-machinery.js';
import { FAKE_VARIANTS, planFake } from '../../helpers/fake-run.js';

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
  image: { key: 'i', contents: 'c', packages: { 'btrfs-progs': '7.2', fio: '3' } },
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
    ['the image', { image: { ...THEN.image, key: 'j', packages: {} } }],
    [
      'btrfs-progs in the image',
      { image: { ...THEN.image, contents: 'd', packages: { 'btrfs-progs': '7.3', fio: '3' } } },
    ],
    ['the list of packages in the image', { image: { ...THEN.image, contents: 'd' } }],
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
    const variants = [recordVariant(planOf([]), fakeVariant('soft', { kernelArgs: ['x'] }))];
    expect(differences(older, { ...THEN, variants })).toEqual([]);
  });

  it('that an older version recorded name only some packages of the image, which have to be the same', () => {
    const { contents: _, ...image } = THEN.image;
    expect(differences({ ...THEN, image }, { ...THEN, image: { ...THEN.image, contents: 'd' } })).toEqual([]);
    const packages = { ...image.packages, 'btrfs-progs': '7.3' };
    expect(differences({ ...THEN, image }, { ...THEN, image: { ...THEN.image, packages } })).toEqual([
      'btrfs-progs in the image was 7.2, is now 7.3',
    ]);
  });

  it('say that an image which was made anew does not come back', () => {
    const refusal = (image: Partial<Environment['image']>): unknown => {
      try {
        checkSameConditions('r', THEN, { ...THEN, image: { ...THEN.image, ...image } });
      } catch (error) {
        return error instanceof UserError ? error.failure : error;
      }
      return undefined;
    };
    expect(refusal({ contents: 'd' })).toMatchObject({
      observed: 'cannot go on under other conditions: the list of packages in the image was c, is now d',
      next: 'the image was made anew and the earlier one is gone: start a new run without --resume',
    });
    expect(refusal({ key: 'j' })).toMatchObject({
      next: expect.stringMatching(/^restore them, or/) as string,
    });
  });
});

/** A plan with one cell of soft for each FILESYSTEM TEST. */
function planOf(cells: readonly string[]): RunPlan {
  const keys = cells.map((cell) => cell.split(' '));
  return {
    cells: keys.map(([filesystem = '', test = '']) => ({ variant: 'soft', filesystem, test, iteration: 0 })),
  } as unknown as RunPlan;
}

describe('a variant that was edited since its run began', () => {
  const plan = planOf(['ext4 probe/open-fd', 'ext4 probe/mmap', 'f2fs probe/open-fd']);
  const was = fakeVariant('soft', {
    mountOptions: { ext4: 'data=journal' },
    kernelArgs: ['a=1', 'b=2'],
    contract: {
      all: { 'probe/open-fd': { cases: { 'gap=none': ['kept', 'refused'] }, observations: { e: 0 } } },
      ext4: { 'probe/mmap': { outcome: ['pass'], reason: 'as it is' } },
    },
  });
  const edited = (changes: Partial<typeof was>): string[] => {
    const then = JSON.parse(JSON.stringify({ ...THEN, variants: [recordVariant(plan, was)] })) as Environment;
    return differences(then, { ...THEN, variants: [recordVariant(plan, { ...was, ...changes })] });
  };
  const openFd = was.contract['all']!['probe/open-fd']!;
  const mmap = was.contract['ext4']!['probe/mmap']!;

  it.each<[string, Partial<typeof was>, string[]]>([
    [
      'other mount options',
      { mountOptions: { ext4: 'discard', f2fs: 'discard' } },
      [
        'mount -o of soft on ext4 was data=journal, is now discard',
        'mount -o of soft on f2fs was nothing, is now discard',
      ],
    ],
    ['no mount options', { mountOptions: {} }, ['mount -o of soft on ext4 was data=journal, is now nothing']],
    [
      'kernel arguments in another order, of which the last one counts',
      { kernelArgs: ['b=2', 'a=1'] },
      ['what soft adds to the kernel command line was a=1 b=2, is now b=2 a=1'],
    ],
    [
      'another promise for one file system',
      {
        contract: {
          ...was.contract,
          f2fs: { 'probe/open-fd': { ...openFd, cases: { 'gap=none': ['lost'] } } },
        },
      },
      ['the contract of soft: f2fs probe/open-fd gap=none was kept or refused, is now lost'],
    ],
    [
      'no promise any more',
      { contract: { all: { 'probe/open-fd': openFd } } },
      ['the contract of soft: ext4 probe/mmap outcome was pass, is now nothing'],
    ],
    [
      'an observation less',
      { contract: { ...was.contract, all: { 'probe/open-fd': { cases: openFd.cases! } } } },
      [
        'the contract of soft: ext4 probe/open-fd e was 0, is now nothing',
        'the contract of soft: f2fs probe/open-fd e was 0, is now nothing',
      ],
    ],
  ])('has %s', (_, changes, expected) => {
    expect(edited(changes)).toEqual(expected);
  });

  it('is the same when only what no cell of the run depends on is different', () => {
    const cases = { 'gap=none': ['refused', 'kept'] };
    expect(
      edited({
        title: 'another',
        mountOptions: { ...was.mountOptions, btrfs: 'compress' },
        contract: {
          ext4: { 'probe/open-fd': { ...openFd, cases }, 'probe/mmap': { ...mmap, reason: 'another' } },
          f2fs: { 'probe/open-fd': openFd, 'probe/mmap': { outcome: ['fail'] } },
          btrfs: { 'probe/mmap': { outcome: ['fail'] } },
        },
      }),
    ).toEqual([]);
  });

  it('has no more than some of its differences named', () => {
    const kept = Object.fromEntries([...'abcdefghi'].map((name) => [name, ['kept']]));
    const found = edited({
      contract: { ...was.contract, all: { 'probe/open-fd': { ...openFd, cases: kept } } },
    });
    expect(found).toHaveLength(7);
    expect(found.at(-1)).toBe('12 more of the variants');
  });
});

describe('what a resume is told again', () => {
  it('must be as planned, iterations of single tests included', async () => {
    const plan = await planFake({ iterations: 2, testIterations: { mmap: 4 } });
    const again = { iterations: 2, testIterations: { 'probe/mmap': 4 } };
    expect(() => checkRestated(plan, again)).not.toThrow();
    expect(() => checkRestated(plan, { ...again, testIterations: { 'probe/mmap': 5 } })).toThrow(
      /was planned with iterations of tests probe\/mmap=4, not probe\/mmap=5/,
    );
  });

  /** A plan of `--quick` with a port and a test of fstests, as planMatrix makes it. */
  const fstestsPlan = (more: Partial<RunPlan['fstests']> = {}): Promise<RunPlan> =>
    planFake(
      {
        effort: 'quick',
        guestCpus: 2,
        guestMemoryMiB: 1024,
        tests: ['open-fd', 'generic/595 (port)', 'generic/397'],
        testIterations: { 'generic/595 (port)': 2 },
        iterations: 1,
        fstests: { source: UPSTREAM, timeFactor: 3, excluded: [], ...more },
      },
      FAKE_VARIANTS,
      ['generic/595 (port)', 'generic/397'],
    );

  it.each<Restated>([
    { effort: 'quick' },
    { guestCpus: 2, guestMemoryMiB: 1024 },
    { freshGuest: undefined, profile: 'default', variants: ['soft', 'stock'], filesystems: ['f2fs', 'ext4'] },
    { tests: ['open-fd', 'generic/595 (port)', 'generic/397'] },
    { iterations: 1, testIterations: { 'generic/595 (port)': 2 } },
    { fstests: { source: '/src/xfstests', timeFactor: 3 } },
  ])('may be what was planned: %j', async (restated) => {
    const plan = await fstestsPlan({ asked: '/src/xfstests' });
    expect(() => checkRestated(plan, restated)).not.toThrow();
  });

  it.each<[Restated, string]>([
    [{ guestCpus: 3 }, 'was planned with CPUs of a guest 2, not 3'],
    [{ guestMemoryMiB: 512 }, 'was planned with memory of a guest (MiB) 1024, not 512'],
    [{ freshGuest: true }, 'was planned with fresh guests no, not yes'],
    [{ tree: '/src/linux' }, 'was planned with tree as imported, not /src/linux'],
    [
      { tests: ['open-fd', 'generic/398'] },
      'was planned with tests probe/open-fd,generic/595 (port),generic/397, not probe/open-fd,generic/398',
    ],
    [{ testIterations: { 'generic/398': 2 } }, 'iterations of generic/398: generic/398 is not in this run'],
    [{ tests: ['opn-fd'] }, 'test opn-fd: unknown (did you mean "open-fd"?)'],
    [{ fstests: { source: '/src/xfstests' } }, 'was planned with fstests upstream, not /src/xfstests'],
    [{ fstests: { timeFactor: 7 } }, 'was planned with time factor 3, not 7'],
    [{ fstests: { groups: ['encrypt'] } }, 'has its tests already, -g chooses those of a new run'],
    [{ fstests: { exclude: ['x'] } }, 'has its tests already, --exclude chooses those of a new run'],
  ])('is refused when it is something else: %j', async (restated, said) => {
    const plan = await fstestsPlan();
    expect(() => checkRestated(plan, restated)).toThrow(said);
  });

  it('is refused for a run without tests of fstests', async () => {
    const plan = await planFake();
    const says = (fstests: Restated['fstests'], said: string): void =>
      expect(() => checkRestated(plan, { fstests })).toThrow(said);
    says({ timeFactor: 7 }, 'was planned with time factor none, not 7');
    says({ source: '/src/xfstests' }, 'was planned with fstests none, not /src/xfstests');
  });

  it('is known of plans that did not record how much probes do', async () => {
    const { effort: _, ...quick } = await planFake({ effort: 'quick' });
    expect(() => checkRestated(quick, { effort: 'quick' })).not.toThrow();
    const { effort: _normal, ...normal } = await planFake({ effort: undefined });
    expect(() => checkRestated(normal, { effort: 'quick' })).toThrow(
      'was planned with effort normal, not quick',
    );
  });
});
