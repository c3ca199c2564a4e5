// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { readKernelIdentity } from '../../../src/guest/prove.js';
import { readBuildId } from '../../../src/kernel/elf.js';
import { SshConnection } from '../../../src/ssh/index.js';
import { tempDir } from '../../helpers/temp.js';
import { sshServer } from '../ssh/server.js';

/** What a guest that answers with these bytes and this exit code is taken for. */
async function identityOf(
  answer: Buffer,
  exitCode = 0,
): Promise<Awaited<ReturnType<typeof readKernelIdentity>>> {
  const server = await sshServer((channel) => {
    channel.write(answer);
    channel.exit(exitCode);
    channel.end();
  });
  const connection = await SshConnection.connect(server.target);
  try {
    return await readKernelIdentity(connection, 5000);
  } finally {
    connection.close();
  }
}

describe('the identity of a running kernel', () => {
  let file: string;
  /** As a kernel that is this program would show them in /sys/kernel/notes. */
  let notes: Buffer;

  beforeEach(() => {
    const dir = tempDir('prove');
    file = path.join(dir, 'program');
    copyFileSync('/bin/true', file);
    const section = path.join(dir, 'notes');
    execFileSync('objcopy', ['-O', 'binary', '--only-section=.note.gnu.build-id', file, section]);
    notes = readFileSync(section);
  });

  const said = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from('7.3.4-enokey\n'), bytes]);

  it('has the build id that is read from its file', async () => {
    expect(await identityOf(said(notes))).toEqual({
      release: '7.3.4-enokey',
      buildId: await readBuildId(file),
    });
  });

  it('has no build id when the answer is cut short', async () => {
    for (const cut of [1, 2, 3, 20])
      expect(await identityOf(said(notes.subarray(0, -cut)))).toEqual({
        release: '7.3.4-enokey',
        buildId: undefined,
      });
  });

  it('is unknown when the guest did not answer in full', async () => {
    expect(await identityOf(said(notes), 1)).toBeUndefined();
    expect(await identityOf(Buffer.from('7.3.4'))).toBeUndefined();
  });
});
