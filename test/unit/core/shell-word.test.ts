// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { shellWord } from '../../../src/core/shell-word.js';

describe('a word for a shell', () => {
  it.each(['soft@2', '/src/linux', 'a=b,c', 'https://example.org/x.git@v1+2'])('leaves %s alone', (text) => {
    expect(shellWord(text)).toBe(text);
  });

  it.each(['', "it's", 'my run', '$HOME `id`', '~', '*', 'generic/595 (port)=2', 'a\nb', '#x', 'ä€'])(
    'gives %j back through sh',
    (text) => {
      expect(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text);
    },
  );
});
