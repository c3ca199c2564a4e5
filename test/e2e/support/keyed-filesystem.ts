// SPDX-License-Identifier: GPL-2.0-only
import { randomBytes } from 'node:crypto';

import { expect } from 'vitest';

import type { RunningGuest } from '../../../src/guest/running.js';
import type { FilesystemDefinition } from '../../../src/probe/filesystems.js';

const MOUNT = '/mnt/keyed';
const DIR = `${MOUNT}/dir`;
/** A named pipe that whoever holds the file or the directory reads from. */
const GATE = '/run/keyed-gate';

/** What is in use while the key is removed, and what happens before that ends. */
export type Hold = 'clean' | 'write at the end' | 'write and truncate at the end' | 'directory';

/**
 * Commands by which the holder ends, with the file as descriptor 3. The second leaves 16 dirty blocks in one folio, of
 * which the last 13 are dropped when it is written out.
 */
const LAST: Partial<Record<Hold, string>> = {
  'write at the end': 'head -c 100000 /dev/urandom >&3',
  'write and truncate at the end':
    'perl -e "open F, q(>&=3) or die; truncate F, 0; syswrite(F, q(x) x 65536) == 65536 or die; truncate F, 8292 or die"',
};

/** A mounted file system in a guest with one encrypted directory and the key of it. */
export class KeyedFilesystem {
  readonly key = randomBytes(64);
  private identifier = '';

  private constructor(readonly guest: RunningGuest) {}

  static async make(
    guest: RunningGuest,
    filesystem: FilesystemDefinition,
    device: string,
  ): Promise<KeyedFilesystem> {
    const made = new KeyedFilesystem(guest);
    await made.run(`${filesystem.mkfs(device).join(' ')} && mkdir -p ${MOUNT} && mkfifo ${GATE}`);
    await made.run(`mount -t ${filesystem.name} ${device} ${MOUNT}`);
    return made;
  }

  /** Adds the key; the first time also makes the encrypted directory with a file in it. */
  async addKey(): Promise<void> {
    const said = await this.run(`xfs_io -c add_enckey ${MOUNT}`, this.key);
    const identifier = /identifier ([0-9a-f]{32})/.exec(said)?.[1];
    if (!identifier) throw new Error(`add_enckey: no identifier in ${JSON.stringify(said)}`);
    if (this.identifier === '')
      await this.run(
        `mkdir ${DIR} && xfs_io -c 'set_encpolicy ${identifier}' ${DIR} && echo first > ${DIR}/file && sync`,
      );
    this.identifier = identifier;
  }

  /** Removes the key and gives its status thereafter: present, absent or incompletely removed. */
  async removeKey(): Promise<string> {
    await this.run(`xfs_io -c 'rm_enckey ${this.identifier}' ${MOUNT}`);
    return this.status();
  }

  async status(): Promise<string> {
    const said = await this.run(`xfs_io -c 'enckey_status ${this.identifier}' ${MOUNT}`);
    return /^(present|absent|incompletely removed)/i.exec(said)?.[1]?.toLowerCase() ?? said;
  }

  /** Starts a process that has the file open, or is in the directory, until letGo(). */
  async hold(what: Hold): Promise<void> {
    const take = what === 'directory' ? `cd ${DIR}` : `exec 3>>${DIR}/file`;
    const holder = `${take} && exec 4<>${GATE} && echo $$ > /run/keyed-held && read -r line <&4 && ${LAST[what] ?? 'true'}`;
    await this.run(`rm -f /run/keyed-held; setsid bash -c '${holder}' </dev/null >/run/keyed-holder 2>&1 &
      while [ ! -s /run/keyed-held ]; do sleep 0.05; done`);
  }

  /** Looks up the file by its name and asks for its attributes, without opening it. */
  async look(): Promise<void> {
    await this.run(`stat ${DIR}/file`);
  }

  /** Lets the process of hold() do its last and end. Returns when it has, and throws if it said anything. */
  async letGo(): Promise<void> {
    await this.run(`pid=$(cat /run/keyed-held); echo go > ${GATE}
      while [ -e /proc/$pid/exe ]; do sleep 0.02; done
      if [ -s /run/keyed-holder ]; then cat /run/keyed-holder >&2; exit 1; fi`);
  }

  /** Milliseconds until the key is absent; the test fails when it is not after 20 s. */
  async untilAbsent(): Promise<number> {
    const before = Date.now();
    for (;;) {
      const status = await this.status();
      if (status === 'absent') return Date.now() - before;
      if (Date.now() - before > 20_000) expect(status, 'the status of the key after 20 s').toBe('absent');
    }
  }

  private async run(script: string, input?: Uint8Array): Promise<string> {
    const { exec, outcome, reason } = await this.guest.exec(['bash', '-c', script], {
      limitMs: 30_000 * this.guest.spec.accelerator.timeScale,
      ...(input && { input }),
    });
    if (exec?.exitCode === 0) return exec.stdout;
    throw new Error(
      `${script}: exit ${exec?.exitCode} ${outcome ?? ''} ${reason ?? ''} ${exec?.stderr ?? ''}`,
    );
  }
}
