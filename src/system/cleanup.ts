// SPDX-License-Identifier: GPL-2.0-only

type Undo = () => void | Promise<void>;

const undos = new Set<Undo>();

/**
 * Registers work that must happen before the process ends, however it ends short of SIGKILL. Returns a function
 * that takes it back. The cli layer runs `runCleanups` once, on exit and on signals, newest first.
 */
export function onExit(undo: Undo): () => void {
  undos.add(undo);
  return () => undos.delete(undo);
}

/** Runs and forgets every registered cleanup, newest first. One that throws does not stop the others. */
export async function runCleanups(): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (;;) {
    const last = [...undos].at(-1);
    if (!last) return failures;
    undos.delete(last);
    try {
      await last();
    } catch (error) {
      failures.push(error);
    }
  }
}
