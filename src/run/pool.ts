// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { diskError } from '../system/files.js';
import type { BootTimes, DiskSpec, Guest, Incident } from '../guest/types.js';
import type { Accelerator } from '../host/types.js';
import type { GuestImage } from '../image/types.js';
import type { Artifact } from '../kernel/types.js';
import { safeName } from './folder.js';
import { mergeIncidents, silencesDetectors } from './incidents.js';
import type { BootAttempt, Machinery } from './needs.js';
import { RecordingGuest } from './recording-guest.js';
import type { Stopwatch } from './timing.js';
import type { CellResult, RunPlan } from './types.js';

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
  /** Told what a guest reported while no cell ran in it. */
  readonly onLate: (late: LateIncident) => Promise<void>;
}

/** What a guest reported after one cell's result was in the journal and before the next cell began. */
export interface LateIncident {
  /** The guest's name in the run. */
  readonly guest: string;
  /** Absolute path of its console log. */
  readonly console: string;
  /** The cell that ran in it last; undefined when that one did not come to its result. */
  readonly cell: CellResult | undefined;
  readonly incident: Incident;
}

/** A guest of the pool with its name in the run: `g3-stock`. */
export interface PooledGuest {
  readonly id: string;
  readonly guest: RecordingGuest;
  /** Drivers and file systems that were prepared in it. */
  readonly prepared: Set<string>;
  /** The cell that ran in it last, once its result is in the journal and until the next one begins. */
  last: CellResult | undefined;
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
  /** Variants whose kernel reported something while it booted, which was said. */
  private readonly loudBoots = new Set<string>();
  private serial: number | undefined;
  boots = 0;
  readonly bootTimes: (BootTimes & { readonly guest: string })[] = [];

  constructor(private readonly parts: PoolParts) {}

  /** The variant's guest, booted when it has none that lives and whose kernel would still report everything. */
  async acquire(variant: string): Promise<PooledGuest | FailedBoot> {
    const there = this.live.get(variant);
    if (there) {
      const heard = await there.guest.take();
      if (there.guest.alive && !silencesDetectors(heard.marks)) {
        await this.tellLate(there, heard);
        there.last = undefined;
        this.live.delete(variant);
        this.live.set(variant, there);
        return there;
      }
      await this.tellLate(there, mergeIncidents([heard, await this.discard(variant)]));
    }
    while (this.live.size >= this.parts.plan.liveGuests) {
      const [oldest] = this.live;
      if (oldest === undefined) break;
      await this.tellLate(oldest[1], await this.discard(oldest[0]));
    }
    const id = `g${await this.nextSerial()}-${safeName(variant).slice(0, 24)}`;
    const attempt = await this.boot(id, variant);
    if (!('guest' in attempt)) return { ...attempt, id };
    const guest = new RecordingGuest(attempt.guest);
    const pooled: PooledGuest = { id, guest, prepared: new Set(), last: undefined };
    const booted = await guest.take();
    if (booted.outcome) {
      await this.stop(pooled);
      return { outcome: 'boot-error', reason: booted.reason ?? booted.outcome, id };
    }
    this.tellBoot(pooled, variant, booted);
    this.bootTimes.push({ guest: id, ...guest.bootTimes });
    this.live.set(variant, pooled);
    return pooled;
  }

  /** From now on, until the next cell, what the guest reports is this cell's all the same. */
  settled(result: CellResult): void {
    const pooled = this.live.get(result.variant);
    if (pooled?.id === result.guest) pooled.last = result;
  }

  private async tellLate({ id, guest, last }: PooledGuest, incident: Incident): Promise<void> {
    if (incident.outcome === undefined && incident.marks.length === 0) return;
    await this.parts.onLate({ guest: id, console: guest.console, cell: last, incident });
  }

  /** What a kernel reports before the first cell is no cell's, but weakens all of them. Said once a variant. */
  private tellBoot({ id, guest }: PooledGuest, variant: string, { marks }: Incident): void {
    if (marks.length === 0 || this.loudBoots.has(variant)) return;
    this.loudBoots.add(variant);
    const silent = silencesDetectors(marks) ? '; what came later may have gone unreported' : '';
    this.parts.context.emit({
      type: 'note',
      level: 'warn',
      text: `${variant}: ${marks.join(', ')} in the console of guest ${id} while it booted${silent}: ${guest.console}`,
    });
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

  /** Stops the variant's guest, if it has one, drops its disks, and gives what it had reported until its end. */
  async discard(variant: string): Promise<Incident> {
    const pooled = this.live.get(variant);
    if (!pooled) return mergeIncidents([]);
    this.live.delete(variant);
    return this.parts.watch.timeInGuest('stop', () => this.stop(pooled));
  }

  private async stop({ guest }: PooledGuest): Promise<Incident> {
    try {
      await guest.stop();
    } finally {
      for (const disk of guest.spec.disks) {
        // A disk with an image is a file of somebody's store.
        if (disk.image === undefined) await rm(guest.diskPath(disk.name), { force: true });
      }
    }
    return guest.take();
  }

  /** Stops all guests at once. A guest that will not stop does not keep the others alive. */
  async stopAll(): Promise<void> {
    const all = [...this.live.values()];
    this.live.clear();
    if (all.length === 0) return;
    const ends = await this.parts.watch.timeInGuest('stop', () =>
      Promise.allSettled(all.map(async (one) => ({ one, incident: await this.stop(one) }))),
    );
    // One after the other: each may be a line in the journal.
    for (const end of ends) {
      if (end.status === 'fulfilled') await this.tellLate(end.value.one, end.value.incident);
      else {
        this.parts.context.emit({
          type: 'note',
          level: 'warn',
          text: `a guest did not stop: ${String(end.reason)}`,
        });
      }
    }
  }
}
