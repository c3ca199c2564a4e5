// SPDX-License-Identifier: GPL-2.0-only
import { runCleanups } from '../system/cleanup.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** After the first signal the command has this long to end by itself before the cleanups are forced. */
const PATIENCE_MS = 15_000;

/**
 * First signal: the returned AbortSignal fires and the command winds down. Second signal, or patience running
 * out: cleanups run at once and the process exits 130.
 */
export function watchSignals(onFirst: (name: string) => void): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const force = (): void => {
    void runCleanups().finally(() => process.exit(130));
  };
  const handle = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) return force();
    onFirst(name);
    timer = setTimeout(force, PATIENCE_MS);
    timer.unref();
    controller.abort(name);
  };
  for (const name of SIGNALS) process.on(name, handle);
  return {
    signal: controller.signal,
    stop: () => {
      clearTimeout(timer);
      for (const name of SIGNALS) process.off(name, handle);
    },
  };
}
