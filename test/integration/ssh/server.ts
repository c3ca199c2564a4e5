// SPDX-License-Identifier: GPL-2.0-only
import net from 'node:net';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { onTestFinished } from 'vitest';

import { generateKeyPair, type SshTarget } from '../../../src/ssh/index.js';

export interface TestServer {
  readonly target: SshTarget;
  /** Every live TCP connection: to be paused, reset, or counted. */
  readonly sockets: Set<net.Socket>;
  /** Window changes of terminals, `rows x cols`. */
  readonly windows: string[];
}

export type Handler = (channel: ServerChannel, command: string, connection: Connection) => void;

/** ssh2's own server in this process: no sshd, no guest. `handle` plays the guest for each command. */
export async function sshServer(handle: Handler): Promise<TestServer> {
  const [host, client] = [generateKeyPair('host'), generateKeyPair('client')];
  const allowed = ssh2.utils.parseKey(client.publicKey);
  if (allowed instanceof Error) throw allowed;
  const sockets = new Set<net.Socket>();
  const windows: string[] = [];
  const ssh = new ssh2.Server({ hostKeys: [host.privateKey] }, (connection) => {
    connection.on('error', () => undefined);
    connection.on('authentication', (context) => {
      const right = context.method === 'publickey' && context.key.data.equals(allowed.getPublicSSH());
      if (right) context.accept();
      else context.reject(['publickey']);
    });
    connection.on('session', (accept) => {
      const session = accept();
      session.on('pty', (acceptPty, _reject, info) => {
        windows.push(`${info.rows}x${info.cols}`);
        acceptPty();
      });
      session.on('window-change', (acceptWindow, _reject, info) => {
        windows.push(`${info.rows}x${info.cols}`);
        acceptWindow?.();
      });
      session.on('shell', (acceptShell) => handle(acceptShell(), '', connection));
      session.on('exec', (acceptExec, _reject, info) => handle(acceptExec(), info.command, connection));
    });
  });
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    ssh.injectSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    target: {
      host: '127.0.0.1',
      port: (server.address() as net.AddressInfo).port,
      user: 'root',
      privateKey: client.privateKey,
      hostKey: host.publicKey,
      handshakeMs: 5000,
      silenceMs: 5000,
    },
    sockets,
    windows,
  };
}
