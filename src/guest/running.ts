// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream, type WriteStream } from 'node:fs';
import path from 'node:path';
import * as streams from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';

import type { Context } from '../core/context.js';
import { InfraError, InterruptedError, UserError } from '../core/errors.js';
import { SshConnection, quoteCommand, sshExec, type SshExecResult, type SshTarget } from '../ssh/index.js';
import { endProcess, waitForEnd, type Daemon, type Exit } from '../system/daemon.js';
import { diskError } from '../system/files.js';
import { splitLines, Tail } from '../system/process.js';
import { classify, type Verdict } from './classify.js';
import { stripControls } from './console-lines.js';
import { dumpCpus, dumpTasks, machineStatus } from './hang-dump.js';
import type { Limits } from './limits.js';
import { qmpOnce } from './qmp.js';
import { releaseGuest, type GuestRecord } from './registry.js';
import { symbolise } from './symbolise.js';
import { pullTar, pushTar } from './transfer.js';
import type {
  BootTimes,
  ExecOptions,
  ExecResult,
  Guest,
  GuestSpec,
  Incident,
  SupervisedResult,
} from './types.js';
import type { ConsoleWatch } from './watch.js';

const KEEP_BYTES = 8 * 1024 * 1024;
/** Output of one command into a file on the host: a guest must not fill the disk. */
const FILE_LIMIT = 1024 * 1024 * 1024;
/** A report that has begun when its command ends gets this long for its last lines. */
const REPORT_MS = 2000;
/** Lines kept of what a hung guest shows of its tasks. */
const DUMP_LINES = 2000;

export interface RunningParts {
  readonly context: Context;
  readonly spec: GuestSpec;
  readonly record: GuestRecord;
  readonly daemon: Daemon;
  readonly watch: ConsoleWatch;
  readonly connection: SshConnection;
  readonly target: SshTarget;
  readonly limits: Limits;
  readonly bootTimes: BootTimes;
  /** QEMU's own output so far, one line. */
  readonly qemuSaid: () => Promise<string | undefined>;
  /** Forgets the cleanup on exit. */
  readonly forget: () => void;
}

/** A guest that answered over SSH and proved its kernel, with its supervision. */
export class RunningGuest implements Guest {
  readonly name: string;
  readonly spec: GuestSpec;
  readonly console: string;
  readonly bootTimes: BootTimes;
  private qemuExit: Exit | undefined;
  /** How the guest ended; every later exec says the same. */
  private end: Verdict | undefined;
  private stopping: Promise<void> | undefined;

  constructor(private readonly parts: RunningParts) {
    this.name = parts.spec.name;
    this.spec = parts.spec;
    this.console = parts.record.console;
    this.bootTimes = parts.bootTimes;
    void parts.daemon.exited.then((exit) => (this.qemuExit = exit));
  }

  get alive(): boolean {
    return (
      !this.stopping && !this.end && !this.qemuExit && this.parts.connection.open && !this.parts.watch.fatal
    );
  }

  diskPath(name: string): string {
    const disk = this.parts.record.disks.find((candidate) => candidate.name === name);
    if (!disk)
      throw new UserError({ subject: `disk ${name}`, observed: `guest ${this.name} has none of that name` });
    return disk.path;
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<SupervisedResult> {
    const { context, connection, watch, daemon } = this.parts;
    if (context.signal.aborted) throw new InterruptedError();
    if (this.stopping || this.end) return this.afterTheEnd();
    const command = quoteCommand(argv, options.env);

    const giveUp = new AbortController();
    const abandon = (): void => giveUp.abort();
    const forgetAlarm = watch.onAlarm(() => {
      // The rest of the report is on its way: the session is dropped only when it had time to arrive.
      void watch.finishReport(this.parts.limits.quietMs).then(abandon);
    });
    let over = false;
    void daemon.exited.then(() => !over && abandon());
    context.signal.addEventListener('abort', abandon, { once: true });
    const output = new Output(options);
    try {
      const raw = await sshExec(connection, {
        command,
        limitMs: options.limitMs,
        input: options.input,
        signal: giveUp.signal,
        onStdout: (chunk) => output.push('stdout', chunk),
        onStderr: (chunk) => void output.push('stderr', chunk),
      });
      if (context.signal.aborted) throw new InterruptedError();
      const exec = await output.finish(raw);
      return { ...(await this.conclude(raw, options.limitMs)), exec };
    } finally {
      over = true;
      forgetAlarm();
      context.signal.removeEventListener('abort', abandon);
      await output.close();
    }
  }

  async unread(): Promise<Incident> {
    if (this.stopping || this.end) return this.rest();
    // As after a command that ended well when the session is still there, and like one that was lost when not.
    const { open } = this.parts.connection;
    return this.conclude(
      { exitCode: open ? 0 : undefined, signal: undefined, timedOut: false, lost: !open },
      0,
    );
  }

  async push(from: string, to: string): Promise<void> {
    await pushTar(this.session(), from, to, this.parts.limits.bootMs * 4, this.parts.context.signal);
  }

  async pull(from: string, to: string, limitBytes: number): Promise<void> {
    const { limits, context } = this.parts;
    try {
      await pullTar(this.session(), from, to, limitBytes, limits.bootMs * 4, context.signal);
    } catch (error) {
      throw diskError(error, to);
    }
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  /** Leaves a detached guest to itself: closes the session and watches no longer. */
  async detach(): Promise<void> {
    this.parts.connection.close();
    await this.parts.watch.poll();
    this.parts.watch.stop();
    this.parts.forget();
  }

  private session(): SshConnection {
    if (this.alive) return this.parts.connection;
    throw new InfraError({
      subject: `guest ${this.name}`,
      observed: this.end?.reason ?? 'not running any more',
    });
  }

  private async shutDown(): Promise<void> {
    const { connection, daemon, record, watch, context, forget } = this.parts;
    connection.close();
    await endQemu(daemon.identity, record.qmpSocket);
    await watch.poll();
    watch.stop();
    await releaseGuest(context, record);
    forget();
  }

  /** An exec on a guest that is known to be dead. */
  private async afterTheEnd(): Promise<SupervisedResult> {
    const rest = await this.rest();
    return rest.outcome ? rest : { ...rest, outcome: 'infra', reason: 'the guest was stopped' };
  }

  /** What the console of a guest that is over, by itself or by us, says beyond what was read. */
  private async rest(): Promise<Incident> {
    const { watch, context } = this.parts;
    await watch.poll();
    const slice = watch.cut(this.stopping !== undefined || this.qemuExit !== undefined);
    // It is the reason of what was noticed before it, a hang for instance.
    if (slice.fatal) this.end = { outcome: 'oops', reason: slice.fatal.title };
    const reports = slice.reports.map(({ lines }) => lines.join('\n'));
    return {
      ...this.end,
      marks: slice.marks,
      reports: await symbolise(reports, this.spec.vmlinux, context.signal).catch(() => reports),
      consoleFrom: slice.from,
      consoleTo: slice.to,
    };
  }

  /** Gathers what there is to know after a command, and decides. */
  private async conclude(raw: Omit<SshExecResult, 'durationMs'>, limitMs: number): Promise<Incident> {
    const { watch, limits, record, connection, context } = this.parts;
    const finished = !raw.lost && !raw.timedOut && (raw.exitCode !== undefined || raw.signal !== undefined);
    const extra: string[] = [];
    let machine: string | undefined;
    let silentMs: number | undefined;
    let reconnected: boolean | undefined;
    await watch.finishReport(finished ? REPORT_MS : limits.quietMs);
    if (!finished || watch.fatal) {
      await watch.settle(limits.quietMs, limits.lateMs, () => this.qemuExit !== undefined);
      // QEMU dies a moment after the connection that it forwarded.
      if (!this.qemuExit && !connection.open)
        await Promise.race([this.parts.daemon.exited, delay(limits.quietMs)]);
      if (!watch.fatal && !this.qemuExit) {
        machine = await machineStatus(record.qmpSocket, 3000);
        const loss = connection.open ? undefined : await connection.ended;
        if (loss?.kind === 'silent') silentMs = limits.silenceMs;
        if (raw.timedOut && (await this.dumpBlocked(extra))) {
          // What was blocked is in the reports.
        } else if (!finished) {
          if (!raw.timedOut && silentMs === undefined) reconnected = await this.answersAgain();
          const cpus = reconnected ? undefined : await dumpCpus(record.qmpSocket, 3000);
          if (cpus) extra.push(cpus);
        }
      }
    }
    const dead = this.qemuExit !== undefined;
    const slice = watch.cut(dead);
    const verdict = classify({
      fatal: slice.fatal,
      qemuExit: this.qemuExit,
      qemuSaid: dead ? await this.parts.qemuSaid() : undefined,
      finished,
      timedOut: raw.timedOut,
      silentMs,
      machine,
      reconnected,
      flooded: watch.flooded,
      limitMs,
    });
    if (verdict.outcome) this.end = verdict;
    const reports = [...slice.reports.map(({ lines }) => lines.join('\n')), ...extra];
    return {
      ...verdict,
      marks: slice.marks,
      reports: await symbolise(reports, this.spec.vmlinux, context.signal),
      consoleFrom: slice.from,
      consoleTo: slice.to,
    };
  }

  /** Has the guest show its blocked tasks and takes that text from the console. False when it no longer can. */
  private async dumpBlocked(reports: string[]): Promise<boolean> {
    const { watch, limits, connection } = this.parts;
    const lines: string[] = [];
    watch.onLine = (line) => void (lines.length < DUMP_LINES && lines.push(line));
    try {
      if (!(await dumpTasks(connection, limits.choreMs).catch(() => false))) return false;
      await watch.settle(limits.quietMs, limits.lateMs, () => this.qemuExit !== undefined);
      reports.push(lines.join('\n'));
      return true;
    } finally {
      watch.onLine = undefined;
    }
  }

  private async answersAgain(): Promise<boolean> {
    try {
      const { target, context } = this.parts;
      const second = await SshConnection.connect(target, context.signal);
      second.close();
      return true;
    } catch {
      return false;
    }
  }
}

/** Ends QEMU: QMP `quit`, which writes back what it holds, then signals. */
export async function endQemu(identity: GuestRecord['owner'], qmpSocket: string): Promise<void> {
  // The answer to `quit` races with QEMU's end; that it is gone is what counts. A stopped QEMU answers nothing.
  await qmpOnce(qmpSocket, 'quit', {}, 1000).catch(() => undefined);
  if (await waitForEnd(identity, 1000)) return;
  await endProcess(identity, 2000);
}

/** Output of a command: the tail in memory, lines to a listener, all of it (bounded) to a file. */
class Output {
  private readonly tails;
  private readonly splitters;
  private readonly file: WriteStream | undefined;
  private written = 0;
  private fileError: Error | undefined;

  constructor(private readonly options: ExecOptions) {
    const keep = options.keepBytes ?? KEEP_BYTES;
    this.tails = { stdout: new Tail(keep), stderr: new Tail(keep) };
    const lines = (stream: 'stdout' | 'stderr') =>
      splitLines((line) => options.onLine?.(stripControls(line), stream));
    this.splitters = { stdout: lines('stdout'), stderr: lines('stderr') };
    this.file = options.stdoutFile === undefined ? undefined : createWriteStream(options.stdoutFile);
    this.file?.on('error', (error) => (this.fileError = error));
  }

  push(stream: 'stdout' | 'stderr', chunk: Buffer): void | Promise<void> {
    this.tails[stream].push(chunk);
    this.splitters[stream].push(chunk);
    if (stream !== 'stdout' || !this.file || this.fileError || this.written >= FILE_LIMIT) return;
    this.written += chunk.length;
    if (!this.file.write(chunk)) {
      const file = this.file;
      return new Promise((resolve) => {
        file.once('drain', resolve);
        file.once('error', () => resolve());
      });
    }
  }

  async finish(raw: SshExecResult): Promise<ExecResult> {
    this.splitters.stdout.end();
    this.splitters.stderr.end();
    await this.close();
    if (this.fileError) throw diskError(this.fileError, path.dirname(this.options.stdoutFile ?? ''));
    return {
      exitCode: raw.exitCode,
      signal: raw.signal,
      stdout: this.tails.stdout.toString(),
      stderr: this.tails.stderr.toString(),
      timedOut: raw.timedOut,
      durationMs: raw.durationMs,
    };
  }

  /** Once all is written. An error of the last write comes late: after the end, not before it. */
  async close(): Promise<void> {
    if (!this.file) return;
    if (!this.file.writableEnded) this.file.end();
    await streams.finished(this.file).catch((error: Error) => (this.fileError ??= error));
  }
}
