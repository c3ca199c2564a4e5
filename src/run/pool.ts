// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { diskError } from '../system/files.js';
import type { BootTimes, DiskSpec, Guest } from '../guest/types.js';
import type { Accelerator } from '../host/types.js';
import type { GuestImage } from '../image/types.js';
import type { Artifact } from '../kernel/types.js';
import { safeName } from './folder.js';
import type { BootAttempt, Machinery } from './needs.js';
import type { Stopwatch } from './timing.js';
import type { RunPlan } from './types.js';

export interface PoolParts {
  readonly context: Context;
  readonly machinery: Machinery;
  readonly plan: RunPlan;
  readonly variants: ReadonlyMap<string, Variant>;
  readonly artifacts: ReadonlyMap<string, Artifact>;
  readonly image: GuestImage;
  readonly accelerator: Accelerator;
  readonly disks: readonly DiskSpec[];
  /** Where the guests' work folders go. */
  readonly guestsDir: string;
  readonly watch: Stopwatch;
}

/** A guest of the pool with its name in the run: `g3-stock`. */
export interface PooledGuest {
  readonly id: string;
  readonly guest: Guest;
  /** Drivers and file systems that were prepared in it. */
  readonly prepared: Set<string>;
}

/** A guest that did not come up; its console is in the folder of that name all the same. */
export type FailedBoot = Exclude<BootAttempt, { guest: Guest }> & { readonly id: string };

/**
 * The live guests of a run, one a variant at most. A guest stays until it dies, is discarded, or has to make room
 * for another variant's: then the one that was idle longest goes.
 */
export class GuestPool {
  /** In order of last use, oldest first. */
  private readonly live = new Map<string, PooledGuest>();
  private serial: number | undefined;
  boots = 0;
  readonly bootTimes: (BootTimes & { readonly guest: string })[] = [];

  constructor(private readonly parts: PoolParts) {}

  /** The variant's guest, booted when it has none that lives. */
  async acquire(variant: string): Promise<PooledGuest | FailedBoot> {
    const there = this.live.get(variant);
    if (there?.guest.alive) {
      this.live.delete(variant);
      this.live.set(variant, there);
      return there;
    }
    await this.discard(variant);
    while (this.live.size >= this.parts.plan.liveGuests) {
      const [oldest] = this.live.keys();
      if (oldest === undefined) break;
      await this.discard(oldest);
    }
    const id = `g${await this.nextSerial()}-${safeName(variant).slice(0, 24)}`;
    const attempt = await this.boot(id, variant);
    if (!('guest' in attempt)) return { ...attempt, id };
    this.bootTimes.push({ guest: id, ...attempt.guest.bootTimes });
    const pooled: PooledGuest = { id, guest: attempt.guest, prepared: new Set() };
    this.live.set(variant, pooled);
    return pooled;
  }

  private async boot(id: string, name: string): Promise<BootAttempt> {
    const { context, machinery, plan, image, accelerator, disks, guestsDir, watch } = this.parts;
    const variant = this.parts.variants.get(name);
    const artifact = this.parts.artifacts.get(name);
    if (!variant || !artifact) throw new Error(`no kernel for ${name}`);
    const workDir = path.join(guestsDir, id);
    try {
      await mkdir(workDir, { recursive: true });
    } catch (error) {
      throw diskError(error, guestsDir);
    }
    this.boots++;
    return watch.timeInGuest('boot', () =>
      machinery.boot(context, {
        // Unique among all live guests of this host, and short: sockets carry it.
        name: `${plan.id.slice(-4)}-${id}`,
        vmlinux: artifact.vmlinux,
        release: artifact.release,
        buildId: artifact.buildId,
        rootfs: image.rootfs,
        disks,
        accelerator,
        cpus: plan.guest.cpus,
        memoryMiB: plan.guest.memoryMiB,
        kernelArgs: variant.kernelArgs,
        workDir,
      }),
    );
  }

  /** Numbers go on after those of earlier sessions of the run. */
  private async nextSerial(): Promise<number> {
    if (this.serial === undefined) {
      const names = await readdir(this.parts.guestsDir).catch((): string[] => []);
      this.serial = Math.max(0, ...names.map((name) => Number(/^g(\d+)-/.exec(name)?.[1] ?? 0)));
    }
    return ++this.serial;
  }

  /** Removes disks that the guests of a killed session left. The caller holds the lock of the run. */
  static async sweep(guestsDir: string): Promise<void> {
    const names = await readdir(guestsDir, { recursive: true }).catch((): string[] => []);
    for (const name of names.filter((one) => one.endsWith('.img'))) {
      await rm(path.join(guestsDir, name), { force: true });
    }
  }

  /** Stops the variant's guest, if it has one, and drops its disks. */
  async discard(variant: string): Promise<void> {
    const pooled = this.live.get(variant);
    if (!pooled) return;
    this.live.delete(variant);
    await this.parts.watch.timeInGuest('stop', () => this.stop(pooled));
  }

  private async stop({ guest }: PooledGuest): Promise<void> {
    try {
      await guest.stop();
    } finally {
      for (const disk of guest.spec.disks) {
        // A disk with an image is a file of somebody's store.
        if (disk.image === undefined) await rm(guest.diskPath(disk.name), { force: true });
      }
    }
  }

  /** Stops all guests at once. A guest that will not stop does not keep the others alive. */
  async stopAll(): Promise<void> {
    const all = [...this.live.values()];
    this.live.clear();
    if (all.length === 0) return;
    const ends = await this.parts.watch.timeInGuest('stop', () =>
      Promise.allSettled(all.map((one) => this.stop(one))),
    );
    for (const end of ends) {
      if (end.status === 'rejected') {
        this.parts.context.emit({
          type: 'note',
          level: 'warn',
          text: `a guest did not stop: ${String(end.reason)}`,
        });
      }
    }
  }
}
