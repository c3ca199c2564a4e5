// SPDX-License-Identifier: GPL-2.0-only
import { type EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';

import { runTerminal, type TerminalStreams } from '../../../src/guest/terminal.js';
import { SshConnection } from '../../../src/ssh/index.js';
import { until } from '../../helpers/until.js';
import { sshServer } from './server.js';

/** Streams that look like a terminal of 40 x 100. */
function fakeTerminal(): TerminalStreams & {
  raw: boolean[];
  output: () => string;
  stdin: PassThrough;
  stdout: EventEmitter & { rows: number; columns: number };
} {
  const raw: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true as const,
    setRawMode: (mode: boolean) => (raw.push(mode), stdin as never),
  });
  const chunks: Buffer[] = [];
  const stdout = Object.assign(new PassThrough(), { isTTY: true as const, rows: 40, columns: 100 });
  stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return {
    stdin,
    stdout,
    stderr: new PassThrough(),
    term: 'xterm',
    raw,
    output: () => Buffer.concat(chunks).toString(),
  };
}

describe('runTerminal', () => {
  it('passes size, resizes, keys (Ctrl-C too) and the exit code, and puts the terminal back', async () => {
    let typed = '';
    const server = await sshServer((channel) => {
      channel.write('$ ');
      channel.on('data', (chunk: Buffer) => {
        typed += chunk.toString();
        if (typed.endsWith('\x04')) {
          channel.exit(3);
          channel.end();
        }
      });
    });
    const connection = await SshConnection.connect(server.target);
    const terminal = fakeTerminal();
    const running = runTerminal(connection, [], terminal, new AbortController().signal);
    await until(() => (terminal.output() === '$ ' ? true : undefined));
    Object.assign(terminal.stdout, { rows: 50, columns: 120 });
    terminal.stdout.emit('resize');
    await until(() => (server.windows.length === 2 ? true : undefined));
    terminal.stdin.write('ls\x03\x04');
    expect(await running).toBe(3);
    expect(typed).toBe('ls\x03\x04');
    expect(server.windows).toEqual(['40x100', '50x120']);
    expect(terminal.raw).toEqual([true, false]);
  });

  it('puts the terminal back when the session is lost, and says so', async () => {
    const server = await sshServer((_channel, _command, peer) => void setTimeout(() => peer.end(), 50));
    const connection = await SshConnection.connect(server.target);
    const terminal = fakeTerminal();
    await expect(runTerminal(connection, [], terminal, new AbortController().signal)).rejects.toThrow(
      /without an exit status/,
    );
    expect(terminal.raw).toEqual([true, false]);
  });

  it('passes piped input and ends with it', async () => {
    const server = await sshServer((channel) => {
      let input = '';
      channel.on('data', (chunk: Buffer) => (input += chunk.toString()));
      channel.on('end', () => {
        channel.write(input.toUpperCase());
        channel.exit('TERM', false, '');
        channel.end();
      });
    });
    const connection = await SshConnection.connect(server.target);
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    let output = '';
    stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    stdin.end('echo hi\n');
    const code = await runTerminal(
      connection,
      ['sh'],
      { stdin, stdout, stderr: new PassThrough(), term: 'dumb' },
      new AbortController().signal,
    );
    expect([code, output]).toEqual([143, 'ECHO HI\n']);
    expect(server.windows).toEqual([]);
  });
});
