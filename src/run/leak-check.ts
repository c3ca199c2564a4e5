// SPDX-License-Identifier: GPL-2.0-only
import { InfraError } from '../core/errors.js';
import { scanConsole } from '../guest/console-scan.js';
import type { Guest, Incident, SupervisedResult } from '../guest/types.js';
import type { CellContext } from './driver.js';
import { save } from './evidence.js';
import { failureOf } from './incidents.js';

/** A debugfs beside the usual one, in which the detector is not hidden from us. */
const DEBUGFS = '/run/enokey/debugfs';
/** The leak detector of a debug kernel; a kernel without it has no such file. */
const KMEMLEAK = `${DEBUGFS}/kmemleak`;
const USUAL_KMEMLEAK = '/sys/kernel/debug/kmemleak';

/** mm/kmemleak.c reports nothing that is younger than MSECS_MIN_AGE. */
const OLD_ENOUGH_SECONDS = 6;

/** Two scans, ms at time scale 1: each looks at every object of the kernel, on one CPU. */
const LIMIT_MS = 60_000;

/**
 * In sh: what the detector found, on stdout. It says on the console that it found something, which marks the work. The
 * first scan only takes the checksums of what nothing points to; what has not changed by the second is reported.
 */
const SCAN = `sleep ${OLD_ENOUGH_SECONDS} && echo scan > ${KMEMLEAK} && echo scan > ${KMEMLEAK} && cat ${KMEMLEAK}`;
const FORGET = `echo clear > ${KMEMLEAK}`;

/**
 * In sh, once a boot: prints `able` when there is a detector that kmemleak=off has not turned off. For everyone else it
 * becomes read-only: fstests' `check` scans four times a test when it can, after a notrun too and whatever USE_KMEMLEAK
 * says, and each scan takes seconds on such a kernel, under TCG a minute.
 */
const PREPARE = `mkdir -p ${DEBUGFS}
mountpoint -q ${DEBUGFS} || mount -t debugfs enokey ${DEBUGFS} || exit 0
[ -w ${KMEMLEAK} ] && { echo scan=off > ${KMEMLEAK}; } 2> /dev/null || exit 0
(${SCAN}) > /dev/null && ${FORGET} || exit
mountpoint -q ${USUAL_KMEMLEAK} || {
  mount --bind ${KMEMLEAK} ${USUAL_KMEMLEAK} && mount -o remount,ro,bind ${USUAL_KMEMLEAK}
} || exit
echo able`;

/** kmemleak_scan() of mm/kmemleak.c: a report of its own, in one line. */
const FOUND = /^.*kmemleak: \d+ new suspected memory leaks.*$/;

/** What was seen while a guest was prepared, but for kmemleak's word about what had leaked by then: it is nobody's. */
export function withoutOldLeaks(incident: Incident): Incident {
  const reports = incident.reports.filter((report) => !FOUND.test(report));
  if (reports.length === incident.reports.length) return incident;
  const { marks } = scanConsole(reports.flatMap((report) => report.split('\n')));
  return { ...incident, reports, marks };
}

/** Asks guests with a debug kernel what memory nothing points to any more. */
export class LeakCheck {
  /** Guests that were asked whether they have the detector, and their answer. */
  private readonly able = new WeakMap<Guest, boolean>();

  /**
   * Before the first test of a boot, and at no later call: what is there by then is nobody's.
   * @throws InfraError when the guest could not be asked.
   */
  async prepare(guest: Guest): Promise<void> {
    if (this.able.has(guest)) return;
    const result = await this.run(guest, PREPARE);
    const failure = failureOf('kmemleak', result);
    if (failure) throw new InfraError({ subject: `guest ${guest.name}`, observed: failure });
    this.able.set(guest, result.exec?.stdout.trim() === 'able');
  }

  /**
   * After a test, when its file system is unmounted or idle again. The report is kept as kmemleak.txt and returned;
   * there is none when nothing leaked or the kernel cannot tell, and what was reported once is not reported again.
   * What was run joins `work`.
   */
  async look(
    guest: Guest,
    context: CellContext,
    work: SupervisedResult[],
  ): Promise<{ readonly report?: string; readonly failure?: string }> {
    if (!this.able.get(guest)) return {};
    context.progress('look for leaked memory');
    const result = await this.run(guest, `${SCAN} && ${FORGET}`);
    work.push(result);
    if (result.outcome) return {};
    const failure = failureOf('kmemleak', result);
    if (failure) return { failure };
    const report = result.exec?.stdout;
    if (!report) return {};
    await save(context.filesDir, 'kmemleak.txt', report);
    return { report };
  }

  private run(guest: Guest, script: string): Promise<SupervisedResult> {
    return guest.exec(['sh', '-c', script], { limitMs: LIMIT_MS * guest.spec.accelerator.timeScale });
  }
}
