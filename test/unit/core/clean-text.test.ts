// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { cleanLine, oneLine } from '../../../src/core/clean-text.js';

describe('text of a guest', () => {
  it('has no control characters left', () => {
    expect(cleanLine('a\u001b[2Jb\u0007\u0000c\u009b1md\tE\u001b]8;;http://x\u001b\\link')).toBe(
      'abc1md\tElink',
    );
    expect(cleanLine('x'.repeat(10_000))).toHaveLength(4096);
    expect(oneLine('a\nb\n\nc')).toBe('a b c');
    expect(oneLine('x'.repeat(500))).toHaveLength(200);
  });
});
