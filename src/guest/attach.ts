// SPDX-License-Identifier: GPL-2.0-only
import type { Context } from '../core/context.js';
import { EnokeyError, InfraError } from '../core/errors.js';
import { SshConnection, type SshTarget } from '../ssh/index.js';
import { limitsFor } from './limits.js';
import { findGuest, releaseGuest, sweepGuests, type GuestRecord } from './registry.js';
import { endQemu } from './running.js';

/** Where and how a registered guest is reached. */
export function sshTarget(record: GuestRecord): SshTarget {
  const limits = limitsFor(record.accelerator);
  return {
    host: '127.0.0.1',
    port: record.sshPort,
    user: 'root',
    privateKey: record.clientKey,
    hostKey: record.hostKey,
    handshakeMs: limits.handshakeMs,
    silenceMs: limits.silenceMs,
  };
}

/** A session with a guest that another command booted. @throws UserError, InfraError when it does not answer. */
export async function connectGuest(
  context: Context,
  name: string,
): Promise<{ record: GuestRecord; connection: SshConnection }> {
  const record = await findGuest(context, name);
  try {
    return { record, connection: await SshConnection.connect(sshTarget(record), context.signal) };
  } catch (error) {
    if (error instanceof EnokeyError) throw error;
    throw new InfraError({
      subject: `guest ${name}`,
      observed: `no SSH session: ${error instanceof Error ? error.message : String(error)}`,
      log: record.console,
      next: `\`enokey stop ${name}\` ends it`,
      cause: error,
    });
  }
}

/**
 * Ends these guests; one that has ended meanwhile is no error. A guest whose owner lives is ended as well: its owner
 * then sees it as lost. What guests that died left in the registry goes too.
 * @param records as `findGuest` and `listGuests` give them
 * @returns the guests' names
 */
export async function stopGuests(context: Context, records: readonly GuestRecord[]): Promise<string[]> {
  await sweepGuests(context);
  await Promise.all(
    records.map(async (record) => {
      if (record.qemu) await endQemu(record.qemu, record.qmpSocket);
      await releaseGuest(context, record);
    }),
  );
  return records.map((record) => record.name);
}
