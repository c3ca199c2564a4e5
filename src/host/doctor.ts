// SPDX-License-Identifier: GPL-2.0-only
import { readdir, readFile, stat } from 'node:fs/promises';
import { setMaxListeners } from 'node:events';
import os from 'node:os';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { EnokeyError, InterruptedError } from '../core/errors.js';
import { formatBytes, freeBytes } from '../system/disk.js';
import { readIfThere } from '../system/files.js';
import { run } from '../system/process.js';
import { probeAccelerators } from './accelerator.js';
import { findExecutable } from './find.js';
import { REQUIREMENTS, type Requirement } from './requirements.js';

const GIB = 1024 ** 3;
/**
 * Bytes that an empty cache needs: tree 2.6 GiB with its worktree, build folders 2 GiB each, artifacts, image, test
 * disks: measured, rounded up. README.md says the same.
 */
export const DISK_NEEDED = 15 * GIB;
/** Two guests of 1 GiB and a link of vmlinux. */
const MEMORY_NEEDED = 3 * GIB;

export interface Check {
  /** `qemu`, `disk`, `kvm`, ... */
  readonly id: string;
  /** `missing` makes doctor fail; `warn` does not. */
  readonly state: 'ok' | 'warn' | 'missing';
  /** Version, figure, or what is wrong; one line. */
  readonly detail: string;
  /** What it is needed for. */
  readonly purpose: string;
  /** Debian package that mends it, where one does. */
  readonly package?: string;
}

export interface DoctorReport {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** The one command that installs every missing package. Undefined when none is missing. */
  readonly command?: string;
}

/** True when the pattern's files exist; a component `*` matches any name. */
async function matches(pattern: string): Promise<boolean> {
  const star = pattern.indexOf('/*/');
  if (star < 0)
    return stat(pattern).then(
      () => true,
      () => false,
    );
  const names = await readdir(pattern.slice(0, star)).catch(() => []);
  for (const name of names) {
    if (await matches(path.join(pattern.slice(0, star), name, pattern.slice(star + 3)))) return true;
  }
  return false;
}

async function checkRequirement(need: Requirement, signal: AbortSignal): Promise<Check> {
  const base = { id: need.id, purpose: need.purpose };
  const missing = { state: need.optional ? 'warn' : 'missing', package: need.debian } as const;
  if (need.files) {
    for (const file of need.files) if (await matches(file)) return { ...base, state: 'ok', detail: file };
    return { ...base, ...missing, detail: `no ${need.files[0]}` };
  }
  const program = need.program;
  if (!program) throw new Error(`requirement ${need.id} names neither program nor files`);
  const file = await findExecutable(program.name);
  if (!file) return { ...base, ...missing, detail: `${program.name} is not installed` };
  if (!program.version) return { ...base, state: 'ok', detail: file };
  const result = await run(file, program.version, { timeoutMs: 10_000, signal });
  const version = (result.stdout.trim() || result.stderr.trim()).split('\n')[0] ?? '';
  if (result.exitCode !== 0) {
    return {
      ...base,
      ...missing,
      detail: `${file} does not run: ${version || `exit ${result.exitCode ?? result.signal}`}`,
    };
  }
  return { ...base, state: 'ok', detail: version };
}

async function checkDisk(context: Context): Promise<Check> {
  const base = { id: 'disk', purpose: 'kernel tree, builds, image, test disks' };
  try {
    const free = await freeBytes(context.dirs.cache);
    const detail = `${formatBytes(free)} free in ${context.dirs.cache}`;
    if (free >= DISK_NEEDED) return { ...base, state: 'ok', detail };
    return { ...base, state: 'warn', detail: `${detail}; an empty cache needs ${formatBytes(DISK_NEEDED)}` };
  } catch (error) {
    return { ...base, state: 'missing', detail: error instanceof Error ? error.message : String(error) };
  }
}

async function checkMemory(): Promise<Check> {
  const available =
    Number(/^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
  const detail = `${formatBytes(available)} available of ${formatBytes(os.totalmem())}, ${os.cpus().length} CPUs`;
  const enough = available >= MEMORY_NEEDED;
  return {
    id: 'memory',
    purpose: 'guests and kernel builds',
    state: enough ? 'ok' : 'warn',
    detail: enough ? detail : `${detail}; ${formatBytes(MEMORY_NEEDED)} wanted`,
  };
}

/** An ordinary user needs user namespaces and a range of subordinate ids for mmdebstrap --mode=unshare. */
async function checkNamespaces(): Promise<Check> {
  const base = { id: 'user namespaces', purpose: 'makes the guest image without root' };
  if (process.getuid?.() === 0) return { ...base, state: 'ok', detail: 'running as root: not needed' };
  const { username, uid } = os.userInfo();
  if ((await readIfThere('/proc/sys/kernel/unprivileged_userns_clone'))?.trim() === '0') {
    return { ...base, state: 'missing', detail: 'sysctl kernel.unprivileged_userns_clone is 0; set it to 1' };
  }
  if ((await readIfThere('/proc/sys/user/max_user_namespaces'))?.trim() === '0') {
    return { ...base, state: 'missing', detail: 'sysctl user.max_user_namespaces is 0' };
  }
  if (!(await findExecutable('newuidmap'))) {
    return { ...base, state: 'missing', detail: 'newuidmap is not installed', package: 'uidmap' };
  }
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const lines = ((await readIfThere(file)) ?? '').split('\n');
    const range = lines.find((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`));
    if (!range || Number(range.split(':')[2]) < 65536) {
      return {
        ...base,
        state: 'missing',
        detail: `${file} has no range of 65536 ids for ${username}: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`,
      };
    }
  }
  return { ...base, state: 'ok', detail: `subordinate ids for ${username}` };
}

async function checkAccelerators(context: Context): Promise<Check[]> {
  try {
    const verdict = await probeAccelerators(context, true);
    return [
      {
        id: 'kvm',
        purpose: 'runs guests at full speed',
        state: verdict.kvm.usable ? 'ok' : 'warn',
        detail: verdict.kvm.usable ? verdict.kvm.detail : `${verdict.kvm.detail}; guests run on TCG`,
      },
      {
        id: 'tcg',
        purpose: 'runs guests where KVM does not',
        state: verdict.tcg.usable ? 'ok' : verdict.kvm.usable ? 'warn' : 'missing',
        detail: verdict.tcg.detail,
      },
    ];
  } catch (error) {
    if (!(error instanceof EnokeyError) || error instanceof InterruptedError) throw error;
    return [{ id: 'accelerator', purpose: 'runs guests', state: 'missing', detail: error.message }];
  }
}

/** The command that installs packages here: apt-get on Debian and its children, otherwise undefined. */
export function packageCommand(
  packages: readonly string[],
  osRelease: string,
  asRoot: boolean,
): string | undefined {
  const value = (key: string): string => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
  const ids = [value('ID'), ...value('ID_LIKE').split(' ')];
  if (packages.length === 0 || !ids.some((id) => id === 'debian' || id === 'ubuntu')) return undefined;
  return `${asRoot ? '' : 'sudo '}apt-get install -y ${[...new Set(packages)].sort().join(' ')}`;
}

/**
 * Looks at everything enokey needs from the host; boots the probe payload on each accelerator anew. Never throws
 * for what is missing.
 */
export async function diagnose(context: Context): Promise<DoctorReport> {
  // Each program that runs listens to the signal; there are more of them than the ten that Node expects.
  setMaxListeners(REQUIREMENTS.length + 10, context.signal);
  const checks = [
    ...(await Promise.all(REQUIREMENTS.map((need) => checkRequirement(need, context.signal)))),
    await checkNamespaces(),
    await checkDisk(context),
    await checkMemory(),
    ...(await checkAccelerators(context)),
  ];
  const packages = checks.flatMap((check) => (check.state !== 'ok' && check.package ? [check.package] : []));
  const osRelease = (await readIfThere('/etc/os-release')) ?? '';
  return {
    ok: checks.every((check) => check.state !== 'missing'),
    checks,
    command: packageCommand(packages, osRelease, process.getuid?.() === 0),
  };
}
