// SPDX-License-Identifier: GPL-2.0-only
import type { Mark, Outcome } from '../core/outcome.js';
import type { Accelerator } from '../host/types.js';

/** A test disk of a guest: a sparse file of the host, so that the host can read what the kernel wrote. */
export interface DiskSpec {
  /** virtio serial, 1..20 characters; in the guest /dev/disk/by-id/virtio-NAME or found by the init as /dev/enokey/NAME. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Host file to attach instead of a new sparse one (`sizeBytes` is then ignored). Writes go to a throw-away overlay. */
  readonly image?: string;
}

export interface GuestSpec {
  /** Unique among live guests; letters, digits, `.`, `_`, `@`, `-`. */
  readonly name: string;
  readonly vmlinux: string;
  /** What the guest must prove before the first test. */
  readonly release: string;
  readonly buildId: string;
  readonly rootfs: string;
  readonly disks: readonly DiskSpec[];
  readonly accelerator: Accelerator;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly kernelArgs: readonly string[];
  /**
   * The guest's clocks advance by 1 ns for each instruction that its CPUs execute, one CPU after the other, and with
   * the host's clock while all are halted (QEMU's -icount): what they measure no longer depends on the host's load.
   * TCG only, whatever the accelerator is. For measurements, never for tests: no two CPUs run at the same time.
   */
  readonly countInstructions?: boolean;
  /** Where console.log, disks and verdict files live. */
  readonly workDir: string;
}

export interface ExecOptions {
  /** Milliseconds, already scaled. */
  readonly limitMs: number;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  readonly stdoutFile?: string;
  /** Bytes of each stream kept in memory; the head goes. Default 8 MiB. */
  readonly keepBytes?: number;
}

/** A command that ran in the guest. `exitCode` undefined means that none was ever received: never success. */
export interface ExecResult {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

/** What supervision saw of the guest during one piece of work. */
export interface Incident {
  /** Set when the guest, not the work, decided how it ended. */
  readonly outcome?: Extract<Outcome, 'oops' | 'hang' | 'lost' | 'infra'>;
  /** One line: `Kernel panic - not syncing: sysrq triggered crash`. */
  readonly reason?: string;
  readonly marks: readonly Mark[];
  /** Console text of each report, control characters stripped, addresses symbolised where vmlinux allows. */
  readonly reports: readonly string[];
  /** Byte range of console.log that belongs to this work. */
  readonly consoleFrom: number;
  readonly consoleTo: number;
}

export interface SupervisedResult extends Incident {
  readonly exec?: ExecResult;
}

/** When a boot reached its stages: milliseconds since QEMU was started, on the host's monotonic clock. */
export interface BootTimes {
  /** The kernel starts PID 1 (`Run /sbin/init as init process` on the console). */
  readonly initMs: number | undefined;
  /** The guest's init says that sshd listens. */
  readonly readyMs: number | undefined;
  /** Authenticated SSH session. */
  readonly sshMs: number;
  /** The first command has returned. */
  readonly firstCommandMs: number;
}

/** A running guest. */
export interface Guest {
  readonly name: string;
  readonly spec: GuestSpec;
  /** Absolute path of the console log on the host. */
  readonly console: string;
  readonly bootTimes: BootTimes;
  /** Host path of a disk by its name. */
  diskPath(name: string): string;
  /** Runs argv in the guest (no shell) and watches console, QEMU and SSH meanwhile. Never throws for what the guest does. */
  exec(argv: readonly string[], options: ExecOptions): Promise<SupervisedResult>;
  /**
   * What supervision saw since the last piece of work ended; runs nothing in the guest, and works after `stop` too.
   * `outcome` is set when the guest ended otherwise than by `stop`.
   */
  unread(): Promise<Incident>;
  /** Copies a local file or folder into the guest's folder `to` (tar over exec). */
  push(from: string, to: string): Promise<void>;
  /** Copies a guest folder below `to` on the host: names checked, no links, no devices, bounded bytes. */
  pull(from: string, to: string, limitBytes: number): Promise<void>;
  readonly alive: boolean;
  /** Powers off (QMP quit after a short grace) and removes what the guest left, except workDir's logs and disks. */
  stop(): Promise<void>;
}
