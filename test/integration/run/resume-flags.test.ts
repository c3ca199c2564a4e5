// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { RunFolder } from '../../../src/run/folder.js';
import { run, type RunResult } from '../../../src/system/process.js';
import { FAKE_VARIANTS, planFake } from '../../helpers/fake-run.js';
import { REPOSITORY_ROOT } from '../../helpers/repository.js';
import { tempDir } from '../../helpers/temp.js';

const PORT = 'generic/595 (port)';

/** `enokey matrix --resume --dry-run` with more flags, on a run that was planned with two probes, quick, and the port. */
async function resume(flags: readonly string[]): Promise<RunResult> {
  const dir = tempDir('planned');
  const plan = await planFake(
    {
      ...{ iterations: 1, testIterations: { [PORT]: 2 }, tests: ['open-fd', PORT], filesystems: ['ext4'] },
      ...{ effort: 'quick', guestCpus: 2, guestMemoryMiB: 1024, fstests: { timeFactor: 1, excluded: [] } },
    },
    FAKE_VARIANTS,
    [PORT],
  );
  await new RunFolder(dir).writePlan(plan);
  const program = path.join(REPOSITORY_ROOT, 'bin', 'dev.js');
  return run(
    process.execPath,
    ['--import', 'tsx', program, 'matrix', '--resume', '--run', dir, '--dry-run', ...flags],
    { cwd: REPOSITORY_ROOT, env: { ENOKEY_CACHE: dir, ENOKEY_STATE: dir, ENOKEY_RUNTIME: dir } },
  );
}

describe('matrix --resume', () => {
  it('takes every flag again as it was planned', async () => {
    const result = await resume([
      ...['--quick', '--cpus', '2', '--memory', '1024', '--fs', 'ext4', '--time-factor', '1'],
      ...['--tests', `open-fd,${PORT}`, '-n', `1,${PORT}=2`],
    ]);
    expect(result.stderr).toBe('');
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain('6 cells');
  });

  it.each([
    [['--fstests', '/src/xfstests'], 'was planned with fstests none, not /src/xfstests'],
    [['--time-factor', '7', '-g', 'encrypt'], 'has its tests already, -g chooses those of a new run'],
    [['--exclude', 'known.txt'], 'has its tests already, --exclude chooses those of a new run'],
  ])('refuses %j', async (flags, said) => {
    const result = await resume(flags);
    expect(result.stderr).toContain(said);
    expect(result.exitCode).toBe(2);
  });
});
