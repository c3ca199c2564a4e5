// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { InfraError, UserError } from '../core/errors.js';
import { step } from '../core/events.js';
import { selectAccelerator } from '../host/accelerator.js';
import type { AcceleratorName } from '../host/types.js';
import { ensureImage } from '../image/index.js';
import { buildKernel } from '../kernel/build.js';
import type { Profile } from '../kernel/types.js';
import { filesystemOf } from '../probe/filesystems.js';
import { bootGuest } from './boot.js';
import { keepConsole } from './kept-console.js';
import { checkGuestName, listGuests } from './registry.js';
import type { RunningGuest } from './running.js';
import type { DiskSpec, Guest } from './types.js';

export interface LaunchOptions {
  readonly variant: Variant;
  readonly profile: Profile;
  /** The user's kernel tree, absolute. */
  readonly tree?: string;
  /** Default: the variant's name, with a number behind it when a guest of that name runs. */
  readonly name?: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly accelerator?: AcceleratorName;
  readonly disks: readonly DiskSpec[];
  /** Made on a disk of its own, with encryption, and mounted at /mnt/FILESYSTEM. */
  readonly filesystems: readonly string[];
  readonly kernelArgs: readonly string[];
  readonly detached: boolean;
}

const FILESYSTEM_DISK_BYTES = 2 * 1024 ** 3;

async function freeName(context: Context, wanted: string): Promise<string> {
  const taken = new Set((await listGuests(context)).map((guest) => guest.name));
  for (let serial = 1; ; serial++) {
    const name = serial === 1 ? wanted : `${wanted}-${serial}`;
    if (!taken.has(name)) return name;
  }
}

/** `scratch=4G`: name and size of a disk; K, M, G, T are powers of 1024. @throws UserError */
export function parseDisk(text: string): DiskSpec {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]{0,19})=(\d+)([KMGT])?$/.exec(text);
  const sizeBytes = Number(match?.[2]) * 1024 ** ' KMGT'.indexOf(match?.[3] ?? ' ');
  if (match?.[1] && Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % 512 === 0) {
    return { name: match[1], sizeBytes };
  }
  throw new UserError({
    subject: `--disk ${text}`,
    observed: 'no name and size',
    expected: 'NAME=SIZE, such as scratch=4G; the name has 1 to 20 letters, digits, `.`, `_`, `-`',
  });
}

type Mountable = Pick<Guest, 'name' | 'console' | 'exec' | 'stop'>;

async function mountFilesystem(
  guest: Mountable,
  name: string,
  options: string,
  limitMs: number,
): Promise<void> {
  const definition = filesystemOf(name);
  const at = `/mnt/${name}`;
  const device = `/dev/enokey/${name}`;
  for (const argv of [
    definition.mkfs(device),
    ['mkdir', '-p', at],
    ['mount', '-t', name, ...(options ? ['-o', options] : []), device, at],
  ]) {
    const result = await guest.exec(argv, { limitMs });
    if (result.outcome === undefined && result.exec?.exitCode === 0) continue;
    const said = result.reason ?? result.exec?.stderr.trim().split('\n').at(-1) ?? 'no answer';
    throw new InfraError({
      subject: `guest ${guest.name}: ${argv.join(' ')}`,
      observed: said,
      log: guest.console,
    });
  }
}

/**
 * Makes file systems, each on the disk of its name, and mounts them. When one fails the guest is stopped.
 * @throws InfraError with the guest's console, which stays; InterruptedError.
 */
export async function mountFilesystems(
  context: Context,
  guest: Mountable,
  filesystems: readonly string[],
  mountOptions: Variant['mountOptions'],
  limitMs: number,
): Promise<void> {
  try {
    for (const name of filesystems) await mountFilesystem(guest, name, mountOptions[name] ?? '', limitMs);
  } catch (error) {
    const failed = error instanceof InfraError ? error.failure : undefined;
    const log = failed && (await keepConsole(context, guest.name, guest.console));
    await guest.stop();
    throw failed ? new InfraError({ ...failed, log }) : error;
  }
}

/**
 * Builds what a variant's guest needs (or finds it in the stores), boots it and mounts the file systems asked for.
 * Its disks and logs lie in a folder that goes with the guest; the console of one that failed is kept.
 */
export async function launchGuest(context: Context, options: LaunchOptions): Promise<RunningGuest> {
  const { variant, profile } = options;
  if (options.name !== undefined) checkGuestName(options.name);
  const filesystems = [...new Set(options.filesystems)];
  for (const name of filesystems) filesystemOf(name);
  const accelerator = await selectAccelerator(context, options.accelerator);
  const { artifact } = await buildKernel(context, { variant, profile, tree: options.tree });
  const image = await ensureImage(context);
  const name = options.name ?? (await freeName(context, variant.name));
  const title = `Boot ${variant.name} (${profile}) as ${name}`;
  return step(
    context.emit,
    'guest.boot',
    title,
    async () => {
      const guest = await bootGuest(
        context,
        {
          name,
          vmlinux: artifact.vmlinux,
          release: artifact.release,
          buildId: artifact.buildId,
          rootfs: image.rootfs,
          disks: [
            ...filesystems.map((filesystem) => ({ name: filesystem, sizeBytes: FILESYSTEM_DISK_BYTES })),
            ...options.disks,
          ],
          accelerator,
          cpus: options.cpus,
          memoryMiB: options.memoryMiB,
          kernelArgs: [...variant.kernelArgs, ...options.kernelArgs],
          workDir: path.join(context.dirs.cache, 'guests', `${name}-${process.pid}`),
        },
        { detached: options.detached, ephemeral: true, label: `${variant.name} (${profile})` },
      );
      const limitMs = 20_000 * accelerator.timeScale;
      await mountFilesystems(context, guest, filesystems, variant.mountOptions, limitMs);
      return guest;
    },
    (guest) => `${guest.spec.accelerator.name}, SSH after ${(guest.bootTimes.sshMs / 1000).toFixed(1)} s`,
  );
}
