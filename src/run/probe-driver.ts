// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { oneLine } from '../core/clean-text.js';
import { InfraError } from '../core/errors.js';
import type { Guest, SupervisedResult } from '../guest/types.js';
import {
  expectedCases,
  GUEST_ACKS,
  GUEST_MOUNT,
  GUEST_PROBE,
  probeArgv,
  SCRATCH_DISK,
} from '../probe/arguments.js';
import type { ProbeBinary } from '../probe/binary.js';
import { isProbe, probeOf } from '../probe/catalog.js';
import { filesystemOf, GUEST_TOOLS, type FilesystemDefinition } from '../probe/filesystems.js';
import type { Reading } from '../probe/types.js';
import type { CellContext, CellReading, TestDriver } from './driver.js';
import { keepConsole, save } from './evidence.js';
import { failureOf, mergeIncidents, withFailedChore } from './incidents.js';
import { LeakCheck } from './leak-check.js';
import { cellSeed } from './seeds.js';

/** Where the guest's init shows a disk. */
const DEVICE = `/dev/enokey/${SCRATCH_DISK.name}`;

/** For what should take a second or two: ms at time scale 1. */
const SHORT_LIMIT_MS = 20_000;

/** How much longer than its own deadline a probe may take to say that it ran into it, ms at time scale 1. */
const DEADLINE_GRACE_MS = 5_000;

function lastLine(text: string): string {
  return oneLine(text.trim().split('\n').at(-1) ?? '');
}

/**
 * Runs `probe/NAME`: an empty file system for every cell, the probe, and a check of the file system after it, on a
 * debug kernel of its memory too.
 */
export class ProbeDriver implements TestDriver {
  readonly disks = [SCRATCH_DISK];
  readonly environment;
  private readonly leaks = new LeakCheck();

  constructor(
    private readonly binary: ProbeBinary,
    /** Folder that holds what is shipped: tools of file systems are pushed from there. */
    private readonly shipped: string,
  ) {
    this.environment = { probes: binary.key };
  }

  owns(test: string): boolean {
    return isProbe(test);
  }

  async prepare(guest: Guest, filesystem: string): Promise<void> {
    const limitMs = SHORT_LIMIT_MS * guest.spec.accelerator.timeScale;
    const folder = path.posix.dirname(GUEST_PROBE);
    await this.must(guest, ['mkdir', '-p', folder, GUEST_MOUNT, GUEST_ACKS], limitMs);
    await guest.push(this.binary.file, folder);
    await this.must(guest, ['chmod', '0755', GUEST_PROBE], limitMs);
    for (const tool of filesystemOf(filesystem).tools)
      await guest.push(path.join(this.shipped, tool), GUEST_TOOLS);
    await this.leaks.prepare(guest);
  }

  private async must(guest: Guest, argv: readonly string[], limitMs: number): Promise<void> {
    const failure = failureOf(argv[0] ?? '', await guest.exec(argv, { limitMs }));
    if (failure) throw new InfraError({ subject: `guest ${guest.name}`, observed: failure });
  }

  async run(guest: Guest, context: CellContext): Promise<CellReading> {
    const filesystem = filesystemOf(context.cell.filesystem);
    const work: SupervisedResult[] = [];
    const reading = await this.measure(guest, context, filesystem, work);
    const incident = mergeIncidents(work);
    await keepConsole(guest.console, incident, context.filesDir);
    const stuck = incident.outcome === undefined ? reading.stuck : undefined;
    return {
      reading: reading.reading,
      // A thread that does not come back from the kernel is a hang, also when the rest of the guest still lives.
      incident: stuck ? { ...incident, outcome: 'hang', reason: stuck } : incident,
    };
  }

  private async measure(
    guest: Guest,
    context: CellContext,
    filesystem: FilesystemDefinition,
    work: SupervisedResult[],
  ): Promise<{ reading?: Reading; stuck?: string }> {
    const shortMs = SHORT_LIMIT_MS * context.timeScale;
    const infra = (summary: string): { reading: Reading } => ({
      reading: { outcome: 'infra', summary, cases: {} },
    });

    context.progress('make the file system');
    const made = await guest.exec(filesystem.mkfs(DEVICE), { limitMs: shortMs });
    work.push(made);
    if (made.outcome) return {};
    const notMade = failureOf(`mkfs of ${filesystem.name}`, made);
    if (notMade) return infra(notMade);

    const probed = await this.probe(guest, context, work);
    if (probed.stuck !== undefined || work.some((one) => one.outcome) || !probed.reading) return probed;

    if (probed.reading.outcome === 'notrun') return probed;

    context.progress('check the file system');
    const checked = await guest.exec(filesystem.fsck(DEVICE), { limitMs: shortMs });
    work.push(checked);
    if (checked.outcome) return probed;
    const output = checked.exec ? `${checked.exec.stdout}\n${checked.exec.stderr}` : '';
    await save(context.filesDir, 'fsck.txt', output);
    let { reading } = probed;
    if (checked.exec?.exitCode === undefined || checked.exec.timedOut) {
      const failure = failureOf(`fsck of ${filesystem.name}`, checked) ?? 'fsck did not end';
      reading = withFailedChore(reading, failure);
    } else {
      const finding = filesystem.fsckFinding(checked.exec.exitCode, output);
      if (finding && reading.outcome === 'infra') {
        // The probe may have left the file system mounted, which no check can say anything certain about.
        return infra(`${reading.summary}; ${lastLine(finding)}`);
      }
      if (finding) return { reading: { ...reading, outcome: 'fail', summary: lastLine(finding) } };
    }

    const { failure } = await this.leaks.look(guest, context, work);
    return { reading: failure ? withFailedChore(reading, failure) : reading };
  }

  private async probe(
    guest: Guest,
    context: CellContext,
    work: SupervisedResult[],
  ): Promise<{ reading?: Reading; stuck?: string }> {
    // zod is a quarter of a second of loading that a command which runs no probe need not pay.
    const [{ parseProbeOutput, parseProgress }, { errorOf, readError, readResult }] = await Promise.all([
      import('../probe/parse.js'),
      import('../probe/reading.js'),
    ]);
    const { cell, variant, args } = context;
    const definition = probeOf(cell.test);
    const deadlineMs = definition.limitMs * context.timeScale;
    const seed = cellSeed(context.runSeed, cell);
    const stdoutFile = path.join(context.filesDir, 'stdout.jsonl');
    const result = await guest.exec(
      probeArgv({
        test: cell.test,
        device: DEVICE,
        filesystem: cell.filesystem,
        mountOptions: variant.mountOptions[cell.filesystem],
        seed,
        deadlineSeconds: Math.ceil(deadlineMs / 1000),
        args,
      }),
      {
        limitMs: deadlineMs + DEADLINE_GRACE_MS * context.timeScale,
        stdoutFile,
        onLine: (line, stream) => {
          const at = stream === 'stdout' ? parseProgress(line) : undefined;
          if (at) context.progress(`${at.phase}, ${at.acknowledged} acknowledged, ${at.removals} removals`);
        },
      },
    );
    work.push(result);
    if (result.exec?.stderr) await save(context.filesDir, 'stderr.txt', result.exec.stderr);
    if (result.outcome) return {};
    const infra = (summary: string): { reading: Reading } => ({
      reading: { outcome: 'infra', summary, cases: {} },
    });
    const { exec } = result;
    if (exec?.timedOut) return { stuck: `${failureOf('the probe', result)}, and it did not say why` };
    if (!exec || exec.exitCode === undefined)
      return infra(failureOf('the probe', result) ?? 'no exit status');
    const parsed = parseProbeOutput(exec.stdout, {
      probe: definition.name,
      seed,
      cases: expectedCases(cell.test, args),
      unit: definition.unit,
    });
    if (parsed.kind === 'garbage') {
      return infra(`the probe's answer cannot be believed: exit ${exec.exitCode}: ${parsed.reason}`);
    }
    if (parsed.kind === 'error') return { reading: readError(parsed.error) };
    if (parsed.result.verdict === 'error') {
      const ended = errorOf(parsed.result);
      return ended.stuck ? { stuck: ended.reason } : infra(ended.reason);
    }
    if (exec.exitCode !== 0) return infra(`the probe gave a result and exit ${exec.exitCode}`);
    return { reading: readResult(parsed.result, definition.unit) };
  }
}
