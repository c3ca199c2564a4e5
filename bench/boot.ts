// SPDX-License-Identifier: GPL-2.0-only
import { withGuest } from './guest.js';
import { median } from './measure.js';
import type { Bench } from './types.js';

const BOOTS = 5;

/** QEMU's start to the first SSH command's answer, against QEMU's start to PID 1, in the same boots. */
export const boot: Bench = {
  name: 'boot',
  limit: 'at most 2.0',
  async measure() {
    const pid1: number[] = [];
    const ssh: number[] = [];
    for (let i = 0; i <= BOOTS; i++) {
      const times = await withGuest([], (guest) => Promise.resolve(guest.bootTimes));
      // The first boot warms the page cache.
      if (i === 0) continue;
      pid1.push(times.initMs ?? NaN);
      ssh.push(times.firstCommandMs);
    }
    const ratio = median(ssh.map((ms, i) => ms / (pid1[i] ?? NaN)));
    return {
      rows: [
        ['first SSH command', `${(median(ssh) / 1000).toFixed(2)} s`],
        ['PID 1', `${(median(pid1) / 1000).toFixed(2)} s`],
      ],
      ratio,
      ok: ratio <= 2,
    };
  },
};
