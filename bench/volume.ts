// SPDX-License-Identifier: GPL-2.0-only
import { randomBytes } from 'node:crypto';

import type { RunningGuest } from '../src/guest/running.js';
import type { DiskSpec } from '../src/guest/types.js';
import { filesystemOf } from '../src/probe/filesystems.js';
import { COUNTS_INSTRUCTIONS } from './clock.js';
import { shell } from './guest.js';

export interface VolumeSpec {
  /** Of its disk; at most 20 characters. */
  readonly name: string;
  readonly filesystem: 'btrfs' | 'ext4';
  readonly encrypted: boolean;
  readonly options?: string;
}

/** A mounted file system of its own with one directory to measure in. */
export interface Volume {
  readonly device: string;
  readonly dir: string;
}

const SIZE = 256 * 1024 ** 2;

/** The host's disks for volumes: none when instructions are counted, see makeVolume. */
export function disksFor(specs: readonly VolumeSpec[]): DiskSpec[] {
  return COUNTS_INSTRUCTIONS ? [] : specs.map(({ name }) => ({ name, sizeBytes: SIZE }));
}

/**
 * Makes and mounts a file system in the guest. Its disk is one of the host's; when instructions are counted it is a
 * file in the guest's memory behind a loop device, since waiting for the host would be time without instructions.
 */
export async function makeVolume(guest: RunningGuest, spec: VolumeSpec): Promise<Volume> {
  const { name, filesystem, encrypted } = spec;
  const device = COUNTS_INSTRUCTIONS
    ? (
        await shell(
          guest,
          `mkdir -p /run/disks && { mountpoint -q /run/disks || mount -t tmpfs -o size=90% tmpfs /run/disks; } &&
           truncate -s ${SIZE} /run/disks/${name} && losetup --find --show /run/disks/${name}`,
        )
      ).trim()
    : `/dev/enokey/${name}`;
  const mount = `/mnt/${name}`;
  const dir = `${mount}/dir`;
  // btrfs discards in the background what it finds possible to discard.
  const options = ['noatime', filesystem === 'btrfs' && 'nodiscard', spec.options].filter(Boolean).join(',');
  await shell(
    guest,
    `${filesystemOf(filesystem).mkfs(device).join(' ')} && mkdir -p ${mount} &&
     mount -t ${filesystem} -o ${options} ${device} ${mount} && mkdir ${dir}`,
  );
  if (encrypted) {
    const said = await shell(guest, `xfs_io -c add_enckey ${mount}`, randomBytes(64));
    const identifier = /identifier ([0-9a-f]{32})/.exec(said)?.[1] ?? '';
    await shell(guest, `xfs_io -c 'set_encpolicy ${identifier}' ${dir} && lsattr -d ${dir} | grep -q E`);
  }
  return { device, dir };
}
