// SPDX-License-Identifier: GPL-2.0-only
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

import { run } from '../../../src/system/process.js';
import { write } from '../../helpers/fake-kernel.js';
import { REPOSITORY_ROOT } from '../../helpers/repository.js';
import { tempDir } from '../../helpers/temp.js';
import { until } from '../../helpers/until.js';

/** Live processes with this word in their arguments, whatever pid namespace they are in. */
function withArgument(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(word);
      } catch {
        return false;
      }
    });
}

describe.each([
  ['vm/image/build.sh', ['sources', 'out/root.ext4']],
  ['vm/fstests/build.sh', ['sources', 'tree.tar', 'out/built.tar']],
])('%s', (script, args) => {
  it('ends with an enokey that is killed outright, and everything below it', async () => {
    const dir = tempDir('build', 'enokey-');
    write(dir, {
      ...{ sources: '', 'tree.tar': '', 'out/keep': '', began: '' },
      // The slow part of both. Its argument makes it known outside of its pid namespace, and it heeds no SIGTERM.
      'bin/mmdebstrap': `#!/bin/sh\ntrap '' TERM\nexec tail -f /dev/null ${dir}/began\n`,
      'bin/cc': '#!/bin/sh\n',
    });
    for (const name of ['mmdebstrap', 'cc']) chmodSync(path.join(dir, 'bin', name), 0o755);
    onTestFinished(() => {
      for (const pid of withArgument(`${dir}/began`)) process.kill(pid, 'SIGKILL');
    });

    const parent = path.join(dir, 'parent.mts');
    const argv = [path.join(REPOSITORY_ROOT, script), ...args.map((name) => path.join(dir, name))];
    writeFileSync(
      parent,
      `import { run } from ${JSON.stringify(path.join(REPOSITORY_ROOT, 'src/system/process.ts'))};
       import { writeFileSync } from 'node:fs';
       writeFileSync(${JSON.stringify(path.join(dir, 'pid'))}, String(process.pid));
       const ended = await run('bash', ${JSON.stringify(argv)});
       process.stderr.write(ended.stderr);`,
    );
    const enokey = run(process.execPath, ['--import', 'tsx', parent], {
      cwd: REPOSITORY_ROOT,
      env: { PATH: `${path.join(dir, 'bin')}:${process.env['PATH']}` },
    });
    await Promise.race([
      until(() => (withArgument(`${dir}/began`).length > 0 ? true : undefined)),
      enokey.then((result) => Promise.reject(new Error(`the build ended: ${result.stderr}`))),
    ]);
    process.kill(Number(readFileSync(path.join(dir, 'pid'), 'utf8')), 'SIGKILL');
    expect((await enokey).signal).toBe('SIGKILL');
    await until(() => (withArgument(`${dir}/began`).length === 0 ? true : undefined), 10_000);
  });
});
