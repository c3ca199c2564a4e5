// SPDX-License-Identifier: GPL-2.0-only
import {
  Listr,
  ListrLogger,
  ProcessOutput,
  type DefaultRenderer,
  type ListrTaskWrapper,
  type SimpleRenderer,
} from 'listr2';

import type { EnokeyEvent, StepEvent } from '../core/events.js';
import { printable, type ProgressView } from './progress.js';

type Wrapper = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** How many lines of nested steps stay visible below the outermost one. */
const NESTED_LINES = 6;

/**
 * Steps drawn by listr2. Our steps are events, listr2's are functions: the outermost open step is a task that
 * waits for its own end event, and steps inside it are lines below it (a running Listr takes no new siblings).
 */
export function listrView(): ProgressView {
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) });
  let outer:
    | { id: string; title: string; finish: (event: StepEvent) => void; task?: Wrapper; early: string[] }
    | undefined;
  let drawn: Promise<unknown> = Promise.resolve();
  let closed = false;

  const begin = (event: StepEvent): void => {
    let finish!: (event: StepEvent) => void;
    const ended = new Promise<StepEvent>((resolve) => (finish = resolve));
    const mine = {
      id: event.id,
      title: printable(event.title),
      finish,
      early: [] as string[],
    } as NonNullable<typeof outer>;
    outer = mine;
    const list = new Listr(
      [
        {
          title: mine.title,
          task: async (_: unknown, task: Wrapper): Promise<void> => {
            mine.task = task;
            for (const line of mine.early) task.output = line;
            const last = await ended;
            const detail = last.detail ? `: ${printable(last.detail)}` : '';
            task.title = `${mine.title}${detail}`;
            if (last.state === 'skipped') task.skip(task.title);
            if (last.state === 'failed') throw new Error(task.title);
          },
          rendererOptions: {
            outputBar: NESTED_LINES,
            timer: { condition: true, field: seconds, format: () => plain },
          },
        },
      ],
      {
        exitOnError: false,
        registerSignalListeners: false,
        rendererOptions: { logger, collapseErrors: false, showErrorMessage: false },
        fallbackRendererOptions: { logger },
      },
    );
    drawn = drawn.then(() => list.run()).catch(() => undefined);
  };

  const line = (text: string): void => {
    if (!outer) {
      process.stderr.write(`${text}\n`);
    } else if (outer.task) {
      outer.task.output = text;
    } else {
      outer.early.push(text);
    }
  };

  return {
    show(event: EnokeyEvent) {
      if (closed) return;
      if (event.type === 'note') {
        line(`${event.level === 'warn' ? 'warning: ' : ''}${printable(event.text)}`);
        return;
      }
      if (!outer) {
        if (event.state === 'started') begin(event);
        return;
      }
      if (event.id !== outer.id) {
        line(describe(event));
      } else if (event.state === 'progress') {
        line(`${percent(event)}${printable(event.detail ?? '')}`);
      } else if (event.state !== 'started') {
        outer.finish(event);
        outer = undefined;
      }
    },
    async close() {
      closed = true;
      outer?.finish({ type: 'step', id: outer.id, title: outer.title, state: 'failed', detail: 'stopped' });
      await drawn;
    },
  };
}

const plain = (text = ''): string => text;

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

function percent(event: StepEvent): string {
  return event.fraction === undefined ? '' : `${Math.floor(event.fraction * 100)}% `;
}

function describe(event: StepEvent): string {
  const detail = event.detail ? `: ${printable(event.detail)}` : '';
  const sign = { started: '', progress: '', done: '✓ ', skipped: '· ', failed: '✗ ' }[event.state];
  return `${sign}${printable(event.title)} ${percent(event)}${detail}`.trim();
}
