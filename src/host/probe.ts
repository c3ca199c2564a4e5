// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { run } from '../system/process.js';
import { PAYLOAD_MARKER, payloadElf } from './payload.js';
import type { AcceleratorName } from './types.js';

export const QEMU = 'qemu-system-x86_64';

/** isa-debug-exit: the payload writes 0x10, QEMU exits with (0x10 << 1) | 1. */
const EXIT_OK = 33;

export interface ProbeOptions {
  /** Where a temporary folder for the payload (and a core file, should QEMU dump one) is made and removed. */
  readonly workDir: string;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** The guest's CPU model; default what real guests get. */
  readonly cpu?: string;
}

export interface ProbeResult {
  readonly usable: boolean;
  /** One line: what the payload said, or how QEMU failed. */
  readonly detail: string;
  readonly durationMs: number;
}

/** The CPU model of guests: everything that the accelerator can give. */
export function cpuModel(accelerator: AcceleratorName): string {
  return accelerator === 'kvm' ? 'host' : 'max';
}

/**
 * QEMU's arguments for booting the payload: machine, accelerator, CPU and number of CPUs as for real guests
 * (guest/argv.ts), since a broken accelerator often fails on one of these only.
 */
export function probeArgs(
  accelerator: AcceleratorName,
  payload: string,
  cpu = cpuModel(accelerator),
): string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35', '-accel', accelerator, '-cpu', cpu, '-smp', '2', '-m', '64'],
    ...['-chardev', 'stdio,id=debug,signal=off', '-device', 'isa-debugcon,iobase=0xe9,chardev=debug'],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x01'],
    ...['-kernel', payload],
  ];
}

/** Names how far the payload came, for a reason that a bug report can use. */
function progressOf(stdout: string): string {
  if (stdout.includes('!')) return 'the CPU gave a wrong result in long mode';
  if (stdout.startsWith('36')) return 'stopped in long mode';
  if (stdout.startsWith('3')) return 'stopped at the switch to long mode';
  return 'no instruction of the payload was seen to run';
}

/**
 * Boots the payload and reads its marker. QEMU not exiting, exiting early, or exiting without the marker all
 * count as unusable; /dev/kvm that opens proves nothing.
 * @throws UserError when QEMU is not installed, InterruptedError when the signal fired.
 */
export async function probeAccelerator(
  accelerator: AcceleratorName,
  options: ProbeOptions,
): Promise<ProbeResult> {
  const dir = await mkdtemp(path.join(options.workDir, 'probe-'));
  try {
    const payload = path.join(dir, 'payload.elf');
    await writeFile(payload, payloadElf());
    const result = await run(QEMU, probeArgs(accelerator, payload, options.cpu), {
      cwd: dir,
      timeoutMs: options.deadlineMs,
      graceMs: 500,
      signal: options.signal,
      keepBytes: 64 * 1024,
    });
    const { durationMs } = result;
    if (result.exitCode === EXIT_OK && result.stdout.includes(PAYLOAD_MARKER)) {
      return { usable: true, detail: `a payload booted in ${Math.round(durationMs)} ms`, durationMs };
    }
    // Warnings about CPU features come on every KVM without them: they explain nothing.
    const said =
      /^qemu\S*: (?!warning|terminating on)(?:error: )?(.*)/m.exec(result.stderr)?.[1] ??
      /KVM internal error.*/.exec(result.stderr)?.[0];
    const how = result.timedOut
      ? `a payload of ${payloadElf().length} bytes did not finish in ${options.deadlineMs} ms (${progressOf(result.stdout)})`
      : `QEMU ${result.signal ? `ended by ${result.signal}` : `exited with ${result.exitCode}`} (${progressOf(result.stdout)})`;
    return { usable: false, detail: said ? `${how}: ${said.trim()}` : how, durationMs };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
