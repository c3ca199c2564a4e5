// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { run } from '../src/system/process.js';
import type { SessionTiming } from '../src/run/types.js';
import { REPOSITORY } from './context.js';
import type { Bench } from './types.js';

/** What a fully cached matrix spends outside guests: the whole process's wall time less the time in guests. */
export const overhead: Bench = {
  name: 'matrix outside guests',
  limit: 'at most 3.0 s',
  async measure() {
    const dir = await mkdtemp(path.join(tmpdir(), 'enokey-bench-'));
    try {
      const args = ['--variants', 'stock', '--fs', 'ext4,f2fs', '--tests', 'probe/open-fd,probe/new-open'];
      const result = await run(
        process.execPath,
        [
          path.join(REPOSITORY, 'bin/run.js'),
          'matrix',
          ...args,
          '-n',
          '2',
          '--quick',
          '--run',
          path.join(dir, 'run'),
        ],
        { cwd: REPOSITORY },
      );
      if (result.exitCode !== 0)
        throw new Error(`matrix: exit ${result.exitCode}: ${result.stderr.slice(-500)}`);
      const text = await readFile(path.join(dir, 'run', 'timing.json'), 'utf8');
      const sessions = JSON.parse(text) as SessionTiming[];
      const inside = sessions.reduce((sum, session) => sum + session.insideGuestsMs, 0);
      const outside = (result.durationMs - inside) / 1000;
      return {
        rows: [
          ['whole process', `${(result.durationMs / 1000).toFixed(2)} s`],
          ['inside guests', `${(inside / 1000).toFixed(2)} s`],
          ['outside guests', `${outside.toFixed(2)} s`],
        ],
        ratio: outside,
        ok: outside <= 3,
      };
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};
