// SPDX-License-Identifier: GPL-2.0-only

/**
 * The core is silent: it tells what it does through these events and never prints. The cli layer draws them
 * (listr2 on a terminal, plain lines elsewhere) on stderr.
 */
export interface StepEvent {
  readonly type: 'step';
  /** Unique within one command, e.g. `tree.import`, `kernel.build/stock`. */
  readonly id: string;
  readonly state: 'started' | 'progress' | 'done' | 'skipped' | 'failed';
  /** Short and in the imperative: `Build v7.3 stock (default)`. */
  readonly title: string;
  /** 0..1 where it is known. */
  readonly fraction?: number;
  /** One line: what is happening now, why it was skipped, or how it ended. */
  readonly detail?: string;
}

export interface NoteEvent {
  readonly type: 'note';
  readonly level: 'info' | 'warn';
  readonly text: string;
}

export type EnokeyEvent = StepEvent | NoteEvent;
export type Emit = (event: EnokeyEvent) => void;

/**
 * Runs `work` as one step: emits started, then done (with the detail that `work` sets last) or failed.
 * `progress` may be called as often as one likes; the renderer throttles.
 */
export async function step<T>(
  emit: Emit,
  id: string,
  title: string,
  work: (progress: (detail?: string, fraction?: number) => void) => Promise<T>,
  doneDetail?: (result: T) => string | undefined,
): Promise<T> {
  emit({ type: 'step', id, title, state: 'started' });
  try {
    const result = await work((detail, fraction) =>
      emit({ type: 'step', id, title, state: 'progress', detail, fraction }),
    );
    emit({ type: 'step', id, title, state: 'done', detail: doneDetail?.(result) });
    return result;
  } catch (error) {
    emit({
      type: 'step',
      id,
      title,
      state: 'failed',
      detail: error instanceof Error ? error.message : String(error),
    });
    throw error;
  }
}
