// SPDX-License-Identifier: GPL-2.0-only
import { shellWord } from '../core/shell-word.js';

/** What `local.config` says: one section-less shell file, read by common/config. */
export interface LocalConfig {
  /** FSTYP */
  readonly filesystem: string;
  /** Block devices as mount(8) will show them, no symlinks. */
  readonly testDevice: string;
  readonly testDir: string;
  readonly scratchDevice: string;
  readonly scratchDir: string;
  /** Multiplies the run time of stress phases; 595 races for 4 s times this. */
  readonly timeFactor: number;
  /** Mount options of the variant without `-o`, for both file systems; empty for none. */
  readonly mountOptions: string;
  /** Folder of fstests-overrides/common in the guest. */
  readonly overrides: string;
  /** Where `check` writes; one an iteration. */
  readonly resultBase: string;
}

/** Mount options that common/config would have chosen, which ours must not lose when they replace them. */
const DEFAULT_OPTIONS: Readonly<Record<string, string>> = { ext4: 'acl,user_xattr', f2fs: 'acl,user_xattr' };

/** The file's text. Variables as in fstests' README.config-sections. */
export function localConfig(config: LocalConfig): string {
  const { filesystem, mountOptions } = config;
  const options = [DEFAULT_OPTIONS[filesystem], mountOptions].filter(Boolean).join(',');
  const lines: readonly (readonly [string, string])[] = [
    ['FSTYP', filesystem],
    ['TEST_DEV', config.testDevice],
    ['TEST_DIR', config.testDir],
    ['SCRATCH_DEV', config.scratchDevice],
    ['SCRATCH_MNT', config.scratchDir],
    ['RESULT_BASE', config.resultBase],
    ['TIME_FACTOR', String(config.timeFactor)],
    // Keep the kernel log of a passed test too: a lockdep report outside its patterns is still wanted.
    ['KEEP_DMESG', 'yes'],
    // No syslog daemon in the guest.
    ['LOGGER_PROG', 'true'],
    ...(filesystem === 'btrfs'
      ? ([
          // fstests looks for an indented "-f" in the help text, which btrfs-progs 7.3 no longer indents.
          ['MKFS_BTRFS_PROG', 'mkfs.btrfs -f'],
          // Released btrfs-progs refuse to check what has the encrypt feature.
          ['BTRFS_UTIL_PROG', `${config.overrides}/btrfs-util.pl`],
        ] as const)
      : []),
    ...(mountOptions
      ? ([
          ['MOUNT_OPTIONS', `-o ${options}`],
          ['TEST_FS_MOUNT_OPTS', `-o ${options}`],
        ] as const)
      : []),
  ];
  return [
    '# Written by enokey; kept with the results.',
    ...lines.map(([name, value]) => `export ${name}=${shellWord(value)}`),
    '',
  ].join('\n');
}
