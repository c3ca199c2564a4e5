// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { plainView, printable } from '../../../src/cli/progress.js';

function recorder(): { lines: string[]; at: { ms: number }; view: ReturnType<typeof plainView> } {
  const lines: string[] = [];
  const at = { ms: 0 };
  const view = plainView({ isTTY: false, write: (text) => void lines.push(text), now: () => at.ms });
  return { lines, at, view };
}

describe('plainView', () => {
  it('tells start, throttled progress and end with the time taken', () => {
    const { lines, at, view } = recorder();
    const base = { type: 'step', id: 'x', title: 'Build' } as const;
    view.show({ ...base, state: 'started' });
    view.show({ ...base, state: 'progress', detail: 'a.c' });
    at.ms = 10_500;
    view.show({ ...base, state: 'progress', detail: 'b.c', fraction: 0.256 });
    view.show({ ...base, state: 'progress', detail: 'c.c', fraction: 0.3 });
    at.ms = 12_000;
    view.show({ ...base, state: 'done', detail: '2 objects' });
    expect(lines).toEqual(['- Build\n', '  Build 25%: b.c\n', '✓ Build: 2 objects (12.0 s)\n']);
  });

  it('strips what could drive a terminal', () => {
    expect(printable('a\u001b[31mred\u001b[0m\u0007\r\u009bx')).toBe('aredx');
  });
});
