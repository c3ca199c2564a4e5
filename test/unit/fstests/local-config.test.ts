// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { localConfig, type LocalConfig } from '../../../src/fstests/local-config.js';

const base: LocalConfig = {
  filesystem: 'ext4',
  testDevice: '/dev/vdc',
  testDir: '/mnt/test',
  scratchDevice: '/dev/vdb',
  scratchDir: '/mnt/scratch',
  timeFactor: 3,
  mountOptions: '',
  overrides: '/opt/fstests/enokey/common',
  resultBase: '/var/tmp/enokey-fstests/generic-595.0',
};

/** What a shell that sources it has in its environment. */
function sourced(config: LocalConfig): Record<string, string> {
  const out = execFileSync('sh', ['-c', 'eval "$1"; env -0', 'sh', localConfig(config)], {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  return Object.fromEntries(
    out
      .toString()
      .split('\0')
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

describe('local.config', () => {
  it('sets devices, results and TIME_FACTOR', () => {
    expect(sourced(base)).toMatchObject({
      FSTYP: 'ext4',
      TEST_DEV: '/dev/vdc',
      SCRATCH_MNT: '/mnt/scratch',
      TIME_FACTOR: '3',
      RESULT_BASE: '/var/tmp/enokey-fstests/generic-595.0',
      KEEP_DMESG: 'yes',
    });
  });

  it('gives btrfs a mkfs that overwrites and a btrfs(8) that opens encrypted file systems', () => {
    expect(sourced({ ...base, filesystem: 'btrfs' })).toMatchObject({
      MKFS_BTRFS_PROG: 'mkfs.btrfs -f',
      BTRFS_UTIL_PROG: '/opt/fstests/enokey/common/btrfs-util.pl',
    });
    expect(sourced(base)).not.toHaveProperty('BTRFS_UTIL_PROG');
  });

  it('leaves the mount options to fstests when the variant has none', () => {
    expect(sourced(base)).not.toHaveProperty('MOUNT_OPTIONS');
  });

  it("adds the variant's mount options to those that fstests would have chosen", () => {
    expect(sourced({ ...base, mountOptions: 'test_dummy_encryption=v2' })['MOUNT_OPTIONS']).toBe(
      '-o acl,user_xattr,test_dummy_encryption=v2',
    );
    expect(sourced({ ...base, filesystem: 'btrfs', mountOptions: 'a,b' })['TEST_FS_MOUNT_OPTS']).toBe(
      '-o a,b',
    );
  });

  it('quotes what a shell would expand', () => {
    expect(sourced({ ...base, mountOptions: "x='$(touch /nope)'" })['MOUNT_OPTIONS']).toBe(
      "-o acl,user_xattr,x='$(touch /nope)'",
    );
  });
});
