// SPDX-License-Identifier: GPL-2.0-only
import { sshExec, type SshConnection } from '../ssh/index.js';
import { qmpOnce } from './qmp.js';
import { stripControls } from './console-lines.js';

/**
 * Has the guest write its blocked tasks (sysrq w) and what each CPU does (sysrq l) to the console, through a second
 * channel of the session. True when the guest did it. Documentation/admin-guide/sysrq.rst.
 */
export async function dumpTasks(connection: SshConnection, limitMs: number): Promise<boolean> {
  if (!connection.open) return false;
  const command = 'echo 9 > /proc/sysrq-trigger; echo w > /proc/sysrq-trigger; echo l > /proc/sysrq-trigger';
  const result = await sshExec(connection, { command, limitMs });
  return result.exitCode === 0;
}

/** Where each virtual CPU stands, from QEMU's monitor: works on a guest that no longer answers. */
export async function dumpCpus(qmpSocket: string, limitMs: number): Promise<string | undefined> {
  try {
    const text = await qmpOnce(
      qmpSocket,
      'human-monitor-command',
      { 'command-line': 'info registers -a' },
      limitMs,
    );
    if (typeof text !== 'string') return undefined;
    const lines = stripControls(text.replaceAll('\r', ''))
      .split('\n')
      .filter((line) => /^(?:CPU#|R[A-Z0-9]+=|RIP=)/.test(line));
    return lines.length > 0 ? ['registers of the frozen guest:', ...lines].join('\n') : undefined;
  } catch {
    return undefined;
  }
}

/** QMP's run state of the machine; `no answer` when QEMU itself does not react. */
export async function machineStatus(qmpSocket: string, limitMs: number): Promise<string> {
  try {
    const reply = (await qmpOnce(qmpSocket, 'query-status', {}, limitMs)) as { status?: unknown };
    return typeof reply.status === 'string' ? reply.status : 'unknown';
  } catch {
    return 'no answer';
  }
}
