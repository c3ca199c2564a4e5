// SPDX-License-Identifier: GPL-2.0-only
import { isProbe, probeOf } from '../probe/catalog.js';
import type { RunPlan } from './types.js';

/** Making, checking and mounting a file system around a probe, and a boot; ms under TCG on two cores. */
const AROUND_MS = 2500;
const BOOT_MS = 8000;
const FSTESTS_MS = 40_000;

export interface Estimate {
  readonly cells: number;
  readonly boots: number;
  /** Under TCG; a quarter of it or less on KVM. Without builds. Rough. */
  readonly ms: number;
}

/** How long a plan's cells take, from what such cells took before. */
export function estimate(plan: RunPlan): Estimate {
  const quick = Object.values(plan.probeArgs).some(
    (args) => args.includes('--acks') && args.includes('20000'),
  );
  const boots = plan.freshGuest ? plan.cells.length : countBoots(plan);
  const tests = plan.cells.reduce((sum, { test }) => {
    const usual = isProbe(test) ? probeOf(test).usualMs : FSTESTS_MS;
    return sum + (quick ? Math.min(usual, 1500) : usual) + AROUND_MS;
  }, 0);
  return { cells: plan.cells.length, boots, ms: tests + boots * BOOT_MS };
}

/** Boots of a pool that drops the guest that was idle longest. */
function countBoots(plan: RunPlan): number {
  let boots = 0;
  const live: string[] = [];
  for (const { variant } of plan.cells) {
    const at = live.indexOf(variant);
    if (at >= 0) live.splice(at, 1);
    else {
      boots++;
      if (live.length >= plan.liveGuests) live.shift();
    }
    live.push(variant);
  }
  return boots;
}
