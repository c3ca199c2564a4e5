// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { expectedCases, planArguments, probeArgv } from '../../../src/probe/arguments.js';
import { filesystemOf } from '../../../src/probe/filesystems.js';

describe('arguments of a probe', () => {
  it("are those of the effort, with the user's after them", () => {
    expect(planArguments('probe/race-append', 'normal', ['--writers', '4'])).toEqual([
      '--acks',
      '100000',
      '--writers',
      '4',
    ]);
    expect(planArguments('probe/mmap', 'quick')).toEqual(['--cycles', '1']);
  });

  it("give way to a bound of the user's, since a race takes one only", () => {
    expect(planArguments('probe/race-held', 'normal', ['--seconds=4'])).toEqual(['--seconds=4']);
  });

  it.each(['--seed', '--device=/dev/sda', '--mount', '--help'])('must not set %s, which is ours', (arg) => {
    expect(() => planArguments('probe/open-fd', 'normal', [arg, 'x'])).toThrow(/set by enokey itself/);
  });

  it('choose cases', () => {
    expect(
      expectedCases('probe/open-fd', planArguments('probe/open-fd', 'normal', ['--cycles', '9'])),
    ).toEqual(['gap=none', 'gap=fsync', 'gap=sync', 'gap=syncfs', 'gap=before']);
    expect(expectedCases('probe/open-fd', [])).toEqual(['gap=none', 'gap=fsync', 'gap=sync']);
    expect(expectedCases('probe/open-fd', ['--gap', 'syncfs'])).toEqual(['gap=syncfs']);
    expect(expectedCases('probe/open-fd', ['--gap=sync,none'])).toEqual(['gap=none', 'gap=sync']);
  });

  it('become one argv', () => {
    const argv = probeArgv({
      test: 'probe/parked',
      device: '/dev/enokey/scratch',
      filesystem: 'btrfs',
      mountOptions: 'nodatacow',
      seed: 9,
      deadlineSeconds: 300,
      args: ['--cycles', '5'],
    });
    expect(argv.slice(1).join(' ')).toBe(
      'parked --device /dev/enokey/scratch --fstype btrfs --mount /run/enokey/scratch --mount-options nodatacow --ack-dir /run/enokey/acks --seed 9 --deadline 300 --progress --cycles 5',
    );
  });

  it('exist for known probes only', () => {
    expect(() => planArguments('probe/nope', 'normal')).toThrow(/unknown/);
  });
});

describe('a check of a file system', () => {
  it('finds what exit code or output say', () => {
    expect(filesystemOf('ext4').fsckFinding(0, 'clean')).toBeUndefined();
    expect(filesystemOf('ext4').fsckFinding(4, 'Inode 12 has a bad block.  Fix? no\n')).toMatch(
      /exit 4: Inode 12/,
    );
    expect(
      filesystemOf('f2fs').fsckFinding(0, '[FSCK] Unreachable nat entries   [Ok..] [0x0]'),
    ).toBeUndefined();
    expect(filesystemOf('f2fs').fsckFinding(0, '[FSCK] SIT valid block   [Fail] [0x1]')).toMatch(/\[Fail\]/);
    expect(
      filesystemOf('f2fs').fsckFinding(
        0,
        'Info: Corrupted valid nat_bits in checkpoint\n[FSCK] other corrupted bugs   [Ok..]',
      ),
    ).toBeUndefined();
    expect(filesystemOf('btrfs').fsckFinding(1, 'ERROR: errors found in fs roots')).toMatch(/ERROR/);
    expect(() => filesystemOf('xfs')).toThrow(/unknown/);
  });
});
