// SPDX-License-Identifier: GPL-2.0-only
import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import type { Guest, GuestSpec } from '../guest/types.js';
import type { Accelerator } from '../host/types.js';
import type { GuestImage } from '../image/types.js';
import type { Artifact } from '../kernel/types.js';
import type { TestDriver } from './driver.js';
import type { Environment, RunPlan } from './types.js';

/** How an attempt to boot a guest ended. */
export type BootAttempt =
  { readonly guest: Guest } | { readonly outcome: 'boot-error' | 'infra'; readonly reason: string };

/**
 * Everything that a run needs from the world: injected, so that tests run whole matrices on a fake. The methods
 * that take a context may take long, emit events and end soon after its signal fires.
 */
export interface Machinery {
  /** Version of enokey. */
  readonly version: string;
  /** The kernel of a variant, from the store or built. */
  kernel(context: Context, variant: Variant, plan: RunPlan): Promise<Artifact>;
  image(context: Context): Promise<GuestImage>;
  accelerator(context: Context, wanted: RunPlan['accelerator']): Promise<Accelerator>;
  qemuVersion(context: Context): Promise<string>;
  /** Drivers for the plan's tests, and what they add to the environment. */
  drivers(context: Context, plan: RunPlan): Promise<readonly TestDriver[]>;
  /** Boots and waits for the first SSH session and the proof of the kernel. Throws only when interrupted. */
  boot(context: Context, spec: GuestSpec): Promise<BootAttempt>;
  host(): Environment['host'];
  /** 1-minute load average. */
  hostLoad(): number;
  now(): Date;
  /** ms, monotonic. */
  monotonic(): number;
}
