// SPDX-License-Identifier: GPL-2.0-only
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Polls until `probe` gives something other than undefined (a throw counts as "not yet").
 * @throws after `limitMs`, with the last error.
 */
export async function until<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  limitMs = 20_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`condition not met within ${limitMs} ms`, { cause: last });
    await delay(20);
  }
}
