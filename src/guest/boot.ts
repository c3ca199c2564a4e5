// SPDX-License-Identifier: GPL-2.0-only
import { access, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Context } from '../core/context.js';
import {
  BugError,
  EnokeyError,
  InfraError,
  InterruptedError,
  throwIfAborted,
  UserError,
} from '../core/errors.js';
import { QEMU } from '../host/probe.js';
import { generateKeyPair, SshConnection, type SshTarget } from '../ssh/index.js';
import { onExit } from '../system/cleanup.js';
import { startDaemon, type Daemon, type Exit } from '../system/daemon.js';
import { diskError } from '../system/files.js';
import { identify } from '../system/identity.js';
import { qemuArgs } from './argv.js';
import { stripControls } from './console-lines.js';
import { BootError } from './errors.js';
import { keepConsole } from './kept-console.js';
import { limitsFor, type Limits } from './limits.js';
import { freePort } from './port.js';
import { readKernelIdentity } from './prove.js';
import {
  checkGuestName,
  claimGuest,
  guestDir,
  qmpSocketPath,
  releaseGuest,
  sweepGuests,
  updateRecord,
  type GuestRecord,
} from './registry.js';
import { endQemu, RunningGuest } from './running.js';
import { symbolise } from './symbolise.js';
import type { BootTimes, DiskSpec, GuestSpec } from './types.js';
import { ConsoleWatch } from './watch.js';

export interface BootOptions {
  /** The guest goes on after this process. */
  readonly detached?: boolean;
  /** `workDir` is removed with the guest. */
  readonly ephemeral?: boolean;
  /** What boots, for `enokey ps`. */
  readonly label?: string;
  /** Deadlines other than the accelerator's own. */
  readonly limits?: Partial<Limits>;
}

/** Two commands may pick the same free port; a third try has not been seen. */
const PORT_TRIES = 8;
/** Init's line when sshd listens: vm/image/README.md. */
const READY = /enokey-init: ready/;
/** Init's line when it has nothing to start sshd with, or gave it up: waiting longer changes nothing. */
const SSHD_DIED = /enokey-init: sshd died/;
/** SSHD_TRIES of vm/image/init.c. */
const SSHD_TRIES = 5;
const HOPELESS = /enokey-init: .*no sshd/;
const INIT_STARTS = /Run \S+ as init process/;
/** While nothing is on the console, SSH is tried this often. */
const BLIND_RETRY_MS = 1500;

function checkSpec(spec: GuestSpec): void {
  checkGuestName(spec.name);
  const seen = new Set<string>(['root']);
  for (const disk of spec.disks) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$/.test(disk.name) || seen.has(disk.name)) {
      throw new UserError({
        subject: `disk ${JSON.stringify(disk.name)}`,
        observed: seen.has(disk.name) ? 'the name is taken' : 'not usable as a virtio serial',
        expected: 'a name of its own, 1 to 20 letters, digits, `.`, `_`, `-`',
      });
    }
    seen.add(disk.name);
    if (disk.image !== undefined) continue;
    if (!Number.isSafeInteger(disk.sizeBytes) || disk.sizeBytes < 512 || disk.sizeBytes % 512 !== 0) {
      throw new UserError({
        subject: `disk ${disk.name}`,
        observed: `${disk.sizeBytes} bytes`,
        expected: 'a multiple of 512',
      });
    }
  }
  for (const [field, value, least] of [
    ['cpus', spec.cpus, 1],
    ['memory', spec.memoryMiB, 64],
  ] as const) {
    if (!Number.isInteger(value) || value < least) {
      throw new UserError({
        subject: field,
        observed: String(value),
        expected: `an integer of at least ${least}`,
      });
    }
  }
  if (!path.isAbsolute(spec.workDir))
    throw new BugError({ subject: 'GuestSpec.workDir', observed: 'is relative' });
}

/** A new sparse file; an older one of that name is replaced, so that no guest sees another's data. */
async function makeDisk(dir: string, disk: DiskSpec): Promise<string> {
  const file = path.join(dir, `${disk.name}.img`);
  try {
    await rm(file, { force: true });
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.truncate(disk.sizeBytes);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw diskError(error, dir);
  }
  return file;
}

/** The last line that QEMU wrote about itself. */
async function lastWords(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text
    .split('\n')
    .filter((line) => line.trim() && !/: warning: |terminating on signal/.test(line));
  const last = lines.at(-1);
  return last === undefined
    ? undefined
    : stripControls(last)
        .replace(/^\S*qemu\S*: /, '')
        .slice(0, 300);
}

/**
 * Boots a guest and gives it back when it has answered over SSH and proved to run the kernel that was asked for.
 * Whatever fails, nothing stays behind but the logs in `workDir`; of an ephemeral guest, the console that the error
 * names.
 * @throws BootError (`boot-error` or `infra`), UserError for a bad spec or a name in use, InterruptedError.
 */
export async function bootGuest(
  context: Context,
  spec: GuestSpec,
  options: BootOptions = {},
): Promise<RunningGuest> {
  throwIfAborted(context.signal);
  checkSpec(spec);
  for (const file of [spec.vmlinux, spec.rootfs]) {
    await access(file).catch((error: unknown) => {
      throw new InfraError({ subject: file, observed: 'cannot be read', cause: error });
    });
  }
  await sweepGuests(context);
  const owner = identify(process.pid);
  if (!owner) throw new BugError({ subject: '/proc', observed: 'this process is not in it' });
  const limits = { ...limitsFor(spec.accelerator), ...options.limits };
  const [hostPair, clientPair] = [generateKeyPair('enokey-guest'), generateKeyPair('enokey-client')];
  const qmpSocket = qmpSocketPath(context, spec.name);
  const dir = guestDir(context, spec.name);
  let record: GuestRecord = {
    version: 1,
    name: spec.name,
    state: 'starting',
    owner,
    detached: options.detached ?? false,
    ephemeral: options.ephemeral ?? false,
    label: options.label ?? spec.release,
    release: spec.release,
    buildId: spec.buildId,
    vmlinux: spec.vmlinux,
    rootfs: spec.rootfs,
    accelerator: spec.accelerator,
    cpus: spec.cpus,
    memoryMiB: spec.memoryMiB,
    kernelArgs: [...spec.kernelArgs],
    disks: spec.disks.map((disk) => ({
      ...disk,
      path: disk.image ?? path.join(spec.workDir, `${disk.name}.img`),
    })),
    workDir: spec.workDir,
    console: path.join(spec.workDir, 'console.log'),
    qmpSocket,
    sshPort: 0,
    hostKey: hostPair.publicKey,
    clientKey: clientPair.privateKey,
    startedAt: new Date().toISOString(),
  };
  await claimGuest(context, record);

  let daemon: Daemon | undefined;
  const end = async (): Promise<void> => {
    if (daemon) await endQemu(daemon.identity, qmpSocket);
  };
  const undo = async (): Promise<void> => {
    await end();
    await releaseGuest(context, record);
  };
  let forget = onExit(undo);
  const watch = new ConsoleWatch(record.console);
  let connection: SshConnection | undefined;
  try {
    await mkdir(spec.workDir, { recursive: true });
    for (const disk of spec.disks) if (disk.image === undefined) await makeDisk(spec.workDir, disk);
    const files = {
      hostKey: path.join(dir, 'host_key'),
      authorizedKeys: path.join(dir, 'authorized_keys'),
      pidFile: path.join(dir, 'pid'),
      console: record.console,
      qmpSocket,
      disks: record.disks.map((disk) => disk.path),
    };
    await writeFile(files.hostKey, hostPair.privateKey, { mode: 0o600 });
    await writeFile(files.authorizedKeys, `${clientPair.publicKey}\n`, { mode: 0o600 });
    await writeFile(record.console, '');
    const qemuLog = path.join(spec.workDir, 'qemu.log');
    let began = performance.now();
    let attempts = 0;
    let deaths = 0;
    const state: { exit?: Exit } = {};
    const times: { initMs?: number; readyMs?: number; hopeless?: string } = {};
    watch.onLine = (line) => {
      if (times.initMs === undefined && INIT_STARTS.test(line)) times.initMs = performance.now() - began;
      if (SSHD_DIED.test(line)) deaths += 1;
      if (HOPELESS.test(line) || deaths >= SSHD_TRIES) times.hopeless ??= line;
      if (times.readyMs === undefined && READY.test(line)) times.readyMs = performance.now() - began;
    };
    const launch = async (): Promise<void> => {
      attempts += 1;
      const sshPort = await freePort();
      await rm(qemuLog, { force: true });
      state.exit = undefined;
      began = performance.now();
      const started = await startDaemon(QEMU, qemuArgs(spec, { ...files, sshPort }), {
        cwd: spec.workDir,
        // snapshot=on puts the overlay there, unlinked; /tmp is often small and in memory.
        env: { TMPDIR: spec.workDir },
        outputFile: qemuLog,
        outlive: record.detached,
      });
      daemon = started;
      void started.exited.then((exit) => (state.exit = exit));
      record = { ...record, sshPort, qemu: started.identity };
      await updateRecord(context, record);
    };
    await launch();
    watch.start();

    const target = (): SshTarget => ({
      host: '127.0.0.1',
      port: record.sshPort,
      user: 'root',
      privateKey: clientPair.privateKey,
      hostKey: hostPair.publicKey,
      handshakeMs: limits.handshakeMs,
      silenceMs: limits.silenceMs,
    });
    const failed = (outcome: BootError['outcome'], observed: string): Promise<BootError> =>
      bootError(context, spec, watch, outcome, observed, state.exit !== undefined);
    let lastError = 'no SSH session';
    for (;;) {
      throwIfAborted(context.signal);
      if (state.exit !== undefined || watch.fatal || watch.flooded) {
        const words = await lastWords(qemuLog);
        // Another process took the port between our look and QEMU's.
        if (
          state.exit &&
          attempts < PORT_TRIES &&
          /Could not set up host forwarding rule/.test(words ?? '')
        ) {
          await launch();
          continue;
        }
        await watch.settle(limits.quietMs, limits.lateMs, () => state.exit !== undefined);
        throw await failed(
          'boot-error',
          [howEnded(state.exit), words].filter(Boolean).join(': ') || 'the kernel died',
        );
      }
      if (times.hopeless) throw await failed('boot-error', times.hopeless);
      const elapsed = performance.now() - began;
      // A starved host boots slowly: as long as the kernel still gets on, and on its way to init, it gets more time.
      const late = times.initMs === undefined && watch.quietFor < limits.silenceMs ? 3 : 1;
      if (elapsed >= limits.bootMs * late) {
        throw await failed(
          'boot-error',
          `no SSH session within ${Math.round((limits.bootMs * late) / 1000)} s (${lastError})`,
        );
      }
      // slirp accepts connections before the guest does: trying blindly costs a handshake's deadline each time.
      if (times.readyMs === undefined && elapsed < limits.bootMs / 2) {
        await delay(10);
        continue;
      }
      try {
        const handshakeMs = Math.min(limits.handshakeMs, Math.max(1000, limits.bootMs - elapsed));
        connection = await SshConnection.connect({ ...target(), handshakeMs }, context.signal);
        break;
      } catch (error) {
        if (error instanceof InterruptedError) throw error;
        lastError = error instanceof Error ? error.message : String(error);
        if (/verification failed/i.test(lastError)) {
          throw await failed('infra', `port ${record.sshPort} answers with another host key`);
        }
        if (/authentication methods failed/i.test(lastError)) {
          throw await failed('boot-error', 'the guest refuses the key that was handed to it');
        }
        await delay(times.readyMs === undefined ? BLIND_RETRY_MS : 100);
      }
    }
    const sshMs = performance.now() - began;
    const identity = await readKernelIdentity(connection, limits.choreMs * 2);
    const firstCommandMs = performance.now() - began;
    if (!identity) throw await failed('boot-error', 'the first command over SSH returned nothing');
    if (identity.release !== spec.release) {
      throw await failed('infra', `the guest runs ${stripControls(identity.release)}, not ${spec.release}`);
    }
    if (identity.buildId !== spec.buildId) {
      throw await failed(
        'infra',
        `the guest's build id is ${identity.buildId ?? 'absent'}, not ${spec.buildId}`,
      );
    }
    record = { ...record, state: 'running' };
    await updateRecord(context, record);
    const bootTimes: BootTimes = { initMs: times.initMs, readyMs: times.readyMs, sshMs, firstCommandMs };
    watch.onLine = undefined;
    const running = new RunningGuest({
      context,
      spec,
      record,
      daemon: daemon as Daemon,
      watch,
      connection,
      target: target(),
      limits,
      bootTimes,
      qemuSaid: () => lastWords(qemuLog),
      forget: () => forget(),
    });
    forget();
    forget = record.detached ? () => undefined : onExit(() => running.stop());
    return running;
  } catch (error) {
    connection?.close();
    watch.stop();
    await end();
    let told = error;
    if (record.ephemeral && error instanceof BootError) {
      const log = await keepConsole(context, spec.name, record.console);
      told = new BootError(error.outcome, { ...error.failure, log }, error.consoleTail, error.reports);
    }
    await releaseGuest(context, record);
    forget();
    throw told instanceof EnokeyError ? told : diskError(told, spec.workDir);
  }
}

function howEnded(exit: Exit | undefined): string | undefined {
  if (!exit) return undefined;
  return exit.signal ? `QEMU was ended by ${exit.signal}` : `QEMU exited with ${exit.code}`;
}

async function bootError(
  context: Context,
  spec: GuestSpec,
  watch: ConsoleWatch,
  outcome: BootError['outcome'],
  observed: string,
  dead: boolean,
): Promise<BootError> {
  await watch.poll();
  const slice = watch.cut(dead);
  const reports = await symbolise(
    slice.reports.map(({ lines }) => lines.join('\n')),
    spec.vmlinux,
    context.signal,
  );
  const last = watch.lastLines.filter((line) => line.trim()).at(-1);
  const said =
    slice.fatal?.title ??
    (outcome === 'boot-error' && last ? `last console line: ${last.slice(0, 200)}` : undefined);
  return new BootError(
    outcome,
    { subject: `guest ${spec.name}`, observed: said ? `${observed}; ${said}` : observed, log: watch.file },
    [...watch.lastLines],
    reports,
  );
}
