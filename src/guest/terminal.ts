// SPDX-License-Identifier: GPL-2.0-only
import { constants as osConstants } from 'node:os';
import type { ReadStream, WriteStream } from 'node:tty';

import { InfraError } from '../core/errors.js';
import { quoteCommand, type ClientChannel, type SshConnection } from '../ssh/index.js';

/** The user's streams. Injected, so that a test needs no terminal. */
export interface TerminalStreams {
  readonly stdin: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>;
  readonly stdout: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'rows' | 'columns'>>;
  readonly stderr: NodeJS.WritableStream;
  readonly term: string;
}

/**
 * Joins the user's streams to a command in the guest, or to a login shell. On a terminal: raw mode (Ctrl-C and Ctrl-Z
 * are the guest's), its size and every change of it. Otherwise stdin is passed on as it is, so that commands can be
 * piped in. The terminal is put back whatever happens.
 * @returns the exit code; 128 + the signal's number when a signal ended the command, as shells do.
 * @throws InfraError when the session ended without an exit status.
 */
export async function runTerminal(
  connection: SshConnection,
  argv: readonly string[],
  streams: TerminalStreams,
  signal: AbortSignal,
): Promise<number> {
  const { stdin, stdout, stderr } = streams;
  const interactive = Boolean(stdin.isTTY && stdout.isTTY && stdin.setRawMode);
  const command = argv.length > 0 ? quoteCommand(argv) : undefined;
  const size = (): { rows: number; cols: number } => ({
    rows: stdout.rows ?? 24,
    cols: stdout.columns ?? 80,
  });
  let exited: Promise<number> | undefined;
  const attach = (opened: ClientChannel): void => {
    exited = exitOf(opened, connection);
    // Awaited below; until then a failure must not count as one that nobody handles.
    exited.catch(() => undefined);
  };
  const channel = interactive
    ? await connection.openTerminal({ ...size(), term: streams.term }, command, attach)
    : await connection.openExec(command ?? 'exec bash -l', attach);
  const resize = (): void => {
    const { rows, cols } = size();
    channel.setWindow(rows, cols, 0, 0);
  };
  const abandon = (): void => void channel.destroy();
  signal.addEventListener('abort', abandon, { once: true });
  try {
    if (interactive) {
      stdin.setRawMode?.(true);
      stdout.on('resize', resize);
    }
    stdin.pipe(channel);
    channel.pipe(stdout, { end: false });
    channel.stderr.pipe(stderr, { end: false });
    return await (exited ?? exitOf(channel, connection));
  } finally {
    signal.removeEventListener('abort', abandon);
    stdin.unpipe(channel);
    stdin.pause();
    if (interactive) {
      stdin.setRawMode?.(false);
      stdout.removeListener('resize', resize);
    }
  }
}

function exitOf(channel: ClientChannel, connection: SshConnection): Promise<number> {
  return new Promise((resolve, reject) => {
    let code: number | undefined;
    channel.on('error', () => undefined);
    channel.on('exit', (status: number | null, name?: string) => {
      const number = osConstants.signals[`SIG${name?.replace(/^SIG/, '') ?? ''}` as NodeJS.Signals] ?? 0;
      code = status ?? 128 + number;
    });
    const finish = (why: string): void => {
      if (code !== undefined) resolve(code);
      else
        reject(
          new InfraError({ subject: 'session with the guest', observed: `${why} without an exit status` }),
        );
    };
    channel.on('close', () => finish('closed'));
    void connection.ended.then((loss) => finish(loss ? `lost (${loss.detail})` : 'closed'));
  });
}
