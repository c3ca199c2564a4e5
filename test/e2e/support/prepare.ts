// SPDX-License-Identifier: GPL-2.0-only
import { e2eKernel, e2eRootfs } from './guest.js';

/**
 * Vitest's global set-up: the image and the kernels that the tests boot, before the clock of any test runs. On a
 * new machine that is most of the work; with a filled store it takes a second. The debug kernel takes longest and one
 * test needs it, which waits for it by itself.
 */
export default async function prepare(): Promise<void> {
  await e2eRootfs();
  await e2eKernel('default', 'stock');
  await e2eKernel('default', 'base');
  await e2eKernel('default', 'soft');
}
