// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { oneLine } from '../core/clean-text.js';
import type { Mark } from '../core/outcome.js';
import { InfraError } from '../core/errors.js';
import type { DiskSpec, Guest, SupervisedResult } from '../guest/types.js';
import { SCRATCH_DISK } from '../probe/arguments.js';
import { filesystemOf, GUEST_TOOLS } from '../probe/filesystems.js';
import type { Reading } from '../probe/types.js';
import type { CellContext, CellReading, TestDriver } from '../run/driver.js';
import { keepConsole, save } from '../run/evidence.js';
import { failureOf, mergeIncidents, withFailedChore } from '../run/incidents.js';
import type { Environment } from '../run/types.js';
import { GUEST } from './guest-setup.js';
import { limitOf, type Limits } from './limits.js';
import { parseTestName } from './names.js';
import { PORT_PROGRAM, type PortBinary } from './port-binary.js';

const CHORE_LIMIT_MS = 30_000;
const DEVICE = `/dev/enokey/${SCRATCH_DISK.name}`;
const FOLDER = '/opt/enokey/port';
/** 595's race lasts 4 s times TIME_FACTOR. */
const RACE_SECONDS = 4;
/** Kernel reports for which the original fails in `_check_dmesg`. */
const FATAL_MARKS: readonly Mark[] = ['warn', 'lockdep', 'kasan'];

export interface PortDriverOptions {
  readonly binary: PortBinary;
  readonly limits: Limits;
  readonly timeFactor: number;
  /** Folder that holds what is shipped. */
  readonly shipped: string;
}

/** Runs `generic/595 (port)`. */
export class PortDriver implements TestDriver {
  readonly disks: readonly DiskSpec[] = [SCRATCH_DISK];
  readonly environment: Partial<Environment>;

  constructor(private readonly options: PortDriverOptions) {
    this.environment = { port: options.binary.key };
  }

  owns(test: string): boolean {
    return parseTestName(test)?.port === true;
  }

  async prepare(guest: Guest, filesystem: string): Promise<void> {
    const made = await guest.exec(['mkdir', '-p', FOLDER, GUEST_TOOLS, GUEST.scratchDir], {
      limitMs: choreLimit(guest),
    });
    const failure = failureOf('mkdir', made);
    if (failure) throw new InfraError({ subject: `guest ${guest.name}`, observed: failure });
    await guest.push(this.options.binary.file, FOLDER);
    for (const tool of filesystemOf(filesystem).tools) {
      await guest.push(path.join(this.options.shipped, tool), GUEST_TOOLS);
    }
  }

  async run(guest: Guest, context: CellContext): Promise<CellReading> {
    const work: SupervisedResult[] = [];
    const reading = await this.measure(guest, context, work);
    const incident = mergeIncidents(work);
    await keepConsole(guest.console, incident, context.filesDir);
    const reported = incident.marks.filter((mark) => FATAL_MARKS.includes(mark));
    if (reading?.outcome === 'pass' && reported.length > 0) {
      return {
        reading: {
          ...reading,
          outcome: 'fail',
          summary: `kernel report on the console: ${reported.join(', ')}`,
        },
        incident,
      };
    }
    return { reading, incident };
  }

  private async measure(
    guest: Guest,
    context: CellContext,
    work: SupervisedResult[],
  ): Promise<Reading | undefined> {
    const { cell, variant, filesDir } = context;
    const filesystem = filesystemOf(cell.filesystem);
    const choreMs = choreLimit(guest);
    const made = await guest.exec(
      [
        'sh',
        '-c',
        `umount -q ${GUEST.scratchDir} ${GUEST.testDir}; exec "$@"`,
        'sh',
        ...filesystem.mkfs(DEVICE),
      ],
      { limitMs: choreMs },
    );
    work.push(made);
    if (made.outcome) return undefined;
    const notMade = failureOf(`mkfs of ${filesystem.name}`, made);
    if (notMade) return infra(notMade);

    context.progress('run the port');
    const { limits, timeFactor } = this.options;
    const options = variant.mountOptions[cell.filesystem];
    const ran = await guest.exec(
      [
        `${FOLDER}/${PORT_PROGRAM}`,
        ...['--device', DEVICE, '--mount', GUEST.scratchDir, '--fstype', cell.filesystem],
        ...(options ? ['--mount-options', options] : []),
        ...['--seconds', String(Math.max(1, Math.round(RACE_SECONDS * timeFactor)))],
      ],
      { limitMs: limitOf(limits, 'generic/595', context.timeScale, timeFactor), keepBytes: 256 * 1024 },
    );
    work.push(ran);
    await save(filesDir, 'stdout.json', ran.exec?.stdout ?? '');
    if (ran.exec?.stderr) await save(filesDir, 'stderr.txt', ran.exec.stderr);
    if (ran.outcome) return undefined;
    const { readPort } = await import('./port-output.js');
    const reading = ran.exec?.timedOut
      ? infra('the port did not end within its limit')
      : readPort(ran.exec?.stdout ?? '', ran.exec?.exitCode, ran.exec?.stderr);
    if (reading.outcome === 'infra' || reading.outcome === 'notrun') return reading;

    const checked = await guest.exec(filesystem.fsck(DEVICE), { limitMs: choreMs });
    work.push(checked);
    if (checked.outcome) return reading;
    const output = `${checked.exec?.stdout ?? ''}\n${checked.exec?.stderr ?? ''}`;
    await save(filesDir, 'fsck.txt', output);
    if (checked.exec?.exitCode === undefined || checked.exec.timedOut) {
      const failure = failureOf(`fsck of ${filesystem.name}`, checked) ?? 'fsck did not end';
      return withFailedChore(reading, failure);
    }
    const finding = filesystem.fsckFinding(checked.exec.exitCode, output);
    return finding ? { ...reading, outcome: 'fail', summary: oneLine(finding) } : reading;
  }
}

function infra(summary: string): Reading {
  return { outcome: 'infra', summary, cases: {} };
}

function choreLimit(guest: Guest): number {
  return CHORE_LIMIT_MS * guest.spec.accelerator.timeScale;
}
