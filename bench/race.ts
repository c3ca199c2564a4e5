// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { ensureProbeBinary } from '../src/probe/binary.js';
import { benchContext, REPOSITORY } from './context.js';
import { withGuest } from './guest.js';
import type { Bench } from './types.js';

const SECONDS = 20;

/** Attempts a second of race-append doing what a shell loop does (one writer, bare bytes, no flush), same guest. */
export const race: Bench = {
  name: 'race-append against a shell loop',
  limit: 'at least 500',
  async measure() {
    const { context } = await benchContext();
    const probe = await ensureProbeBinary(context);
    const script = await readFile(path.join(REPOSITORY, 'vm/probe/shell-loop'));
    return withGuest([{ name: 'ext4', sizeBytes: 1024 ** 3 }], async (guest) => {
      await guest.push(probe.file, '/tmp');
      const limitMs = 120_000 * guest.spec.accelerator.timeScale;
      const shell = async (line: string, input?: Uint8Array): Promise<string> => {
        const result = await guest.exec(['bash', '-c', line], { limitMs, input });
        if (result.exec?.exitCode !== 0) throw new Error(`${line}: ${result.reason ?? result.exec?.stderr}`);
        return result.exec.stdout;
      };
      await shell('cat >/tmp/shell-loop; mkdir -p /tmp/m', script);
      const disk = '/dev/enokey/ext4';
      await shell(`mkfs.ext4 -q -F -O encrypt ${disk} && mount ${disk} /tmp/m`);
      const loop = JSON.parse(await shell(`bash /tmp/shell-loop /tmp/m ${SECONDS}`)) as {
        attempts_per_second: number;
      };
      await shell('umount /tmp/m && mkdir -p /tmp/ack');
      const binary = `/tmp/${path.basename(probe.file)}`;
      const out = await shell(
        `${binary} race-append --mount /tmp/m --device ${disk} --fstype ext4 --ack-dir /tmp/ack --seed 1 ` +
          `--seconds ${SECONDS} --writers 1 --record 1 --no-flush`,
      );
      const result = JSON.parse(out.trim().split('\n').at(-1) ?? '') as {
        totals: { attempts: number };
        durations_ms: { run: number };
      };
      const probeRate = result.totals.attempts / (result.durations_ms.run / 1000);
      const ratio = probeRate / loop.attempts_per_second;
      return {
        rows: [
          ['race-append', `${probeRate.toFixed(0)} attempts/s`],
          ['shell loop', `${loop.attempts_per_second.toFixed(2)} attempts/s`],
        ],
        ratio,
        ok: ratio >= 500,
      };
    });
  },
};
