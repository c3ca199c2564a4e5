// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';

/** Folder of the guest for programs that enokey brings along. */
export const GUEST_TOOLS = '/run/enokey';

/** How a file system is made and checked in the guest, as data. */
export interface FilesystemDefinition {
  readonly name: string;
  /** Shipped files that must be in the guest's GUEST_TOOLS before the check, relative to the shipped folder. */
  readonly tools: readonly string[];
  /** argv that makes an empty file system with encryption enabled on `device`. */
  mkfs(device: string): readonly string[];
  /** argv that checks an unmounted `device` and changes nothing. */
  fsck(device: string): readonly string[];
  /** Undefined when the check found nothing, else the line that says what. */
  fsckFinding(exitCode: number, output: string): string | undefined;
}

function firstMatch(output: string, pattern: RegExp): string | undefined {
  return output
    .split('\n')
    .find((line) => pattern.test(line))
    ?.trim();
}

const FILESYSTEMS: readonly FilesystemDefinition[] = [
  {
    name: 'ext4',
    tools: [],
    // Without lazy initialisation no kernel thread writes to the disk while a test runs.
    mkfs: (device) => [
      'mkfs.ext4',
      '-q',
      '-F',
      '-O',
      'encrypt',
      '-E',
      'lazy_itable_init=0,lazy_journal_init=0,nodiscard',
      device,
    ],
    fsck: (device) => ['e2fsck', '-f', '-n', device],
    // e2fsck(8): 4 errors left uncorrected, which is what -n leaves; 8 and more: could not check.
    fsckFinding: (exitCode, output) =>
      exitCode === 0
        ? undefined
        : `e2fsck: exit ${exitCode}: ${firstMatch(output, /\?\s+no|error|corrupt|wrong/i) ?? 'see fsck.txt'}`,
  },
  {
    name: 'f2fs',
    tools: [],
    mkfs: (device) => ['mkfs.f2fs', '-q', '-f', '-t', '0', '-O', 'encrypt', device],
    fsck: (device) => ['fsck.f2fs', '--dry-run', '-f', device],
    // Older fsck.f2fs exit 0 whatever they find; what failed is marked in the output.
    fsckFinding: (exitCode, output) => {
      const line = firstMatch(output, /\[Fail\]|\[ASSERT\]/);
      return exitCode === 0 && !line ? undefined : `fsck.f2fs: exit ${exitCode}: ${line ?? 'see fsck.txt'}`;
    },
  },
  {
    name: 'btrfs',
    // Released btrfs-progs refuse to open what has the encrypt feature: this hides its bit meanwhile.
    tools: ['fstests-overrides/common/btrfs-util.pl'],
    // The kernel sets the encrypt bit with the first policy.
    mkfs: (device) => ['mkfs.btrfs', '-q', '-f', '-K', device],
    fsck: (device) => [`${GUEST_TOOLS}/btrfs-util.pl`, 'check', '--readonly', device],
    fsckFinding: (exitCode, output) =>
      exitCode === 0
        ? undefined
        : `btrfs check: exit ${exitCode}: ${firstMatch(output, /error/i) ?? 'see fsck.txt'}`,
  },
];

export const FILESYSTEM_NAMES: readonly string[] = FILESYSTEMS.map((filesystem) => filesystem.name);

/** @throws UserError for a file system that enokey does not know. */
export function filesystemOf(name: string): FilesystemDefinition {
  const found = FILESYSTEMS.find((filesystem) => filesystem.name === name);
  if (found) return found;
  throw new UserError({
    subject: `file system ${name}`,
    observed: 'unknown',
    expected: `one of ${FILESYSTEM_NAMES.join(', ')}`,
  });
}
