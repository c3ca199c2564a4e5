// SPDX-License-Identifier: GPL-2.0-only
import type { DiskSpec } from '../guest/types.js';
import { SCRATCH_DISK } from '../probe/arguments.js';

/** Where things are in a guest. */
export const GUEST = {
  /** The tree, writable (a throw-away overlay of the disk). */
  tree: '/opt/fstests',
  testDir: '/mnt/test',
  scratchDir: '/mnt/scratch',
  /** local.config and results. */
  work: '/var/tmp/enokey-fstests',
} as const;

export const TEST_DISK: DiskSpec = { name: 'test', sizeBytes: 2 * 1024 ** 3 };

/** The disks of a guest that runs fstests: SCRATCH_DEV is the probes' scratch disk. */
export function fstestsDisks(image: string): readonly DiskSpec[] {
  return [SCRATCH_DISK, TEST_DISK, { name: 'fstests', sizeBytes: 0, image }];
}

/**
 * Once a boot. Prints the devices as mount(8) will show them, one a line: test, scratch. fstests compares names with
 * /proc/mounts, so links will not do.
 */
export const PREPARE_SCRIPT = `set -e
mkdir -p ${GUEST.tree} ${GUEST.testDir} ${GUEST.scratchDir} ${GUEST.work}
mountpoint -q ${GUEST.tree} || mount -o noatime /dev/enokey/fstests ${GUEST.tree}
readlink -e /dev/enokey/test
readlink -e /dev/enokey/scratch
`;

/** How TEST_DEV is made; its encryption feature stays off, as in a run by hand. */
const MKFS: Readonly<Record<string, string>> = {
  ext4: 'mkfs.ext4 -q -F',
  f2fs: 'mkfs.f2fs -q -f',
  btrfs: 'mkfs.btrfs -q -f -K',
};

export interface SetUp {
  readonly filesystem: string;
  readonly testDevice: string;
  /** Make TEST_DEV anew: first test of this file system in the guest, or an earlier test may have broken it. */
  readonly mkfs: boolean;
  /** RESULT_BASE, fresh. */
  readonly results: string;
  /** Test files of a variant to put over upstream's: `generic/595` from folder `hard`. */
  readonly override?: { readonly id: string; readonly folder: string };
}

/**
 * Before each test; local.config comes on standard input. What an earlier, broken-off test left mounted is taken
 * away. An override is bound over upstream's file, so that \`check\` finds it under the upstream name.
 */
export function setUpScript(setUp: SetUp): string {
  const { override } = setUp;
  const lines = [
    'set -e',
    `umount -q ${GUEST.scratchDir} ${GUEST.testDir} || true`,
    `rm -rf ${setUp.results}`,
    `mkdir -p ${setUp.results}`,
    `cat >${GUEST.work}/local.config`,
    `for file in $(awk '$2 ~ "^${GUEST.tree}/tests/" { print $2 }' /proc/mounts); do umount "$file"; done`,
  ];
  if (setUp.mkfs) lines.push(`${MKFS[setUp.filesystem] ?? `mkfs.${setUp.filesystem}`} ${setUp.testDevice}`);
  if (override) {
    const from = `${GUEST.tree}/enokey/variants/${override.folder}/tests/${override.id}`;
    const to = `${GUEST.tree}/tests/${override.id}`;
    lines.push(`mount --bind ${from} ${to}`, `[ ! -e ${from}.out ] || mount --bind ${from}.out ${to}.out`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * argv that runs one test with `check`, in a session keyring of its own. A login has one from pam_keyinit(8); a
 * command over SSH to our guests has none, and what keyctl(1) then links into @s is gone when keyctl ends, so that
 * tests of v1 policies would find no key. There is no udev either, to which dmsetup would leave /dev/mapper's nodes: tests
 * of log replay would have no device to mount.
 */
export function checkArgv(id: string): readonly string[] {
  return [
    'keyctl',
    'session',
    '-',
    'env',
    '-C',
    GUEST.tree,
    `HOST_OPTIONS=${GUEST.work}/local.config`,
    `LD_LIBRARY_PATH=${GUEST.tree}/enokey/lib`,
    'DM_DISABLE_UDEV=1',
    './check',
    id,
  ];
}
