// SPDX-License-Identifier: GPL-2.0-only
import type { ExecOptions, Guest, SupervisedResult } from '../guest/types.js';

/** The leak detector of a debug kernel; a kernel without it has no such file. */
const KMEMLEAK = '/sys/kernel/debug/kmemleak';

/** mm/kmemleak.c reports nothing that is younger than MSECS_MIN_AGE. */
const OLD_ENOUGH_SECONDS = 6;

/**
 * In sh: what the detector found, on stdout. It says on the console that it found something, which marks the work. The
 * first scan only takes the checksums of what nothing points to; what has not changed by the second is reported.
 */
const SCAN = `sleep ${OLD_ENOUGH_SECONDS} && echo scan > ${KMEMLEAK} && echo scan > ${KMEMLEAK} && cat ${KMEMLEAK}`;
const FORGET = `echo clear > ${KMEMLEAK}`;

/** Asks guests with a debug kernel what memory nothing points to any more. */
export class LeakCheck {
  private readonly able = new WeakSet<Guest>();

  /** Once a boot, before the first test: what is there by then is nobody's. */
  async prepare(guest: Guest, options: ExecOptions): Promise<SupervisedResult> {
    const result = await guest.exec(
      ['sh', '-c', `[ -w ${KMEMLEAK} ] || exit 0; (${SCAN}) > /dev/null && ${FORGET} && echo able`],
      options,
    );
    if (result.exec?.stdout.trim() === 'able') this.able.add(guest);
    return result;
  }

  /**
   * After a test, when its file system is unmounted again. stdout is the report, empty when nothing leaked; what was
   * reported once is not reported again. Undefined for a kernel without the detector.
   */
  async check(guest: Guest, options: ExecOptions): Promise<SupervisedResult | undefined> {
    return this.able.has(guest) ? guest.exec(['sh', '-c', `${SCAN} && ${FORGET}`], options) : undefined;
  }
}
