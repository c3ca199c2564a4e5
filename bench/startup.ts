// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { median, paired, wall } from './measure.js';
import type { Bench } from './types.js';

const program = path.resolve(import.meta.dirname, '../bin/run.js');

/** `enokey --version` against the bare runtime: what a user pays before anything of ours has run. */
export const startup: Bench = {
  name: 'startup',
  limit: 'at most 3.0',
  async measure() {
    const { a, b, ratio } = await paired(
      15,
      () => wall(process.execPath, [program, '--version']),
      () => wall(process.execPath, ['-e', '0']),
    );
    return {
      rows: [
        ['enokey --version', `${median(a).toFixed(0)} ms`],
        ['node -e 0', `${median(b).toFixed(0)} ms`],
      ],
      ratio: ratio.median,
      ok: ratio.median <= 3,
    };
  },
};
