// SPDX-License-Identifier: GPL-2.0-only
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { generateKeyPair, SshConnection, sshExec } from '../../../src/ssh/index.js';
import { sshServer, type Handler, type TestServer } from './server.js';

async function connected(
  handle: Handler,
  more: object = {},
): Promise<{ server: TestServer; connection: SshConnection }> {
  const server = await sshServer(handle);
  return { server, connection: await SshConnection.connect({ ...server.target, ...more }) };
}

describe('SshConnection', () => {
  it('accepts the pinned host key only', async () => {
    const server = await sshServer(() => undefined);
    const other = { ...server.target, hostKey: generateKeyPair('x').publicKey };
    await expect(SshConnection.connect(other)).rejects.toThrow(/verification failed/i);
  });

  it('is refused with another client key', async () => {
    const server = await sshServer(() => undefined);
    const other = { ...server.target, privateKey: generateKeyPair('x').privateKey };
    await expect(SshConnection.connect(other)).rejects.toThrow(/authentication/i);
  });

  it('gives up when the other side says nothing', async () => {
    const net = await import('node:net');
    const silent = net.createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const server = await sshServer(() => undefined);
    await expect(SshConnection.connect({ ...server.target, port, handshakeMs: 300 })).rejects.toThrow(
      /timed out/i,
    );
    silent.close();
  });

  it('ends at once when the signal fires during the handshake', async () => {
    const server = await sshServer(() => undefined);
    const controller = new AbortController();
    const connecting = SshConnection.connect(server.target, controller.signal);
    controller.abort();
    await expect(connecting).rejects.toThrow(/interrupted/);
  });

  it('tells a frozen peer from one that closed', async () => {
    const frozen = await connected(() => undefined, { silenceMs: 1000 });
    for (const socket of frozen.server.sockets) socket.pause();
    expect(await frozen.connection.ended).toMatchObject({ kind: 'silent' });

    const closed = await connected(() => undefined);
    for (const socket of closed.server.sockets) socket.destroy();
    expect(await closed.connection.ended).toMatchObject({ kind: 'closed' });
  });

  it('stays up while the peer is idle but answers', async () => {
    const { connection } = await connected(
      (channel) => setTimeout(() => (channel.exit(0), channel.end()), 2500),
      { silenceMs: 1000 },
    );
    expect(await sshExec(connection, { command: 'x', limitMs: 10_000 })).toMatchObject({
      exitCode: 0,
      lost: false,
    });
    connection.close();
    expect(await connection.ended).toBeUndefined();
  });
});

describe('sshExec', () => {
  it('gives exit code, both streams and takes input', async () => {
    const { connection } = await connected((channel) => {
      let input = '';
      channel.on('data', (chunk: Buffer) => (input += chunk.toString()));
      channel.on('end', () => {
        channel.write(`got ${input}`);
        channel.stderr.write('warned');
        channel.exit(7);
        channel.end();
      });
    });
    let [out, err] = ['', ''];
    const result = await sshExec(connection, {
      command: 'x',
      limitMs: 5000,
      input: 'text',
      onStdout: (chunk) => void (out += chunk.toString()),
      onStderr: (chunk) => (err += chunk.toString()),
    });
    expect(result).toMatchObject({ exitCode: 7, lost: false, timedOut: false });
    expect([out, err]).toEqual(['got text', 'warned']);
  });

  it('names the signal that ended the command, and no exit code', async () => {
    const { connection } = await connected((channel) => {
      channel.exit('KILL', false, '');
      channel.end();
    });
    expect(await sshExec(connection, { command: 'x', limitMs: 5000 })).toMatchObject({
      exitCode: undefined,
      signal: 'KILL',
    });
  });

  it('never reports success when the channel closes without an exit status', async () => {
    const { connection } = await connected((channel) => channel.close());
    expect(await sshExec(connection, { command: 'x', limitMs: 5000 })).toMatchObject({
      exitCode: undefined,
      lost: true,
    });
  });

  it('never reports success when the connection drops in the middle', async () => {
    const { connection } = await connected((channel, _command, peer) => {
      channel.write('half');
      setTimeout(() => peer.end(), 50);
    });
    let out = '';
    const result = await sshExec(connection, {
      command: 'x',
      limitMs: 5000,
      onStdout: (chunk) => void (out += chunk.toString()),
    });
    expect(result).toMatchObject({ exitCode: undefined, lost: true, timedOut: false });
    expect(out).toBe('half');
  });

  it('gives up at its limit and leaves the connection usable', async () => {
    const { connection } = await connected((channel, command) => {
      if (command === 'stuck') return;
      channel.exit(0);
      channel.end();
    });
    expect(await sshExec(connection, { command: 'stuck', limitMs: 200 })).toMatchObject({
      timedOut: true,
      exitCode: undefined,
    });
    expect(await sshExec(connection, { command: 'next', limitMs: 5000 })).toMatchObject({ exitCode: 0 });
  });

  it('does not wait for a daemon that holds stdout open', async () => {
    const { connection } = await connected((channel) => {
      channel.write('done\n');
      channel.exit(0);
    });
    const result = await sshExec(connection, { command: 'x', limitMs: 20_000, drainMs: 300 });
    expect(result).toMatchObject({ exitCode: 0, timedOut: false, lost: false });
    expect(result.durationMs).toBeLessThan(3000);
  });

  it.each([
    ['before', 'the command ends'],
    ['after', 'the command ended'],
  ])('loses nothing when the host takes output slowly from %s %s on', async (when) => {
    const { connection } = await connected((channel) => {
      if (when === 'after') channel.exit(0);
      channel.write(Buffer.alloc(1000, 'a'));
      setTimeout(() => {
        if (when === 'before') channel.exit(0);
        channel.write(Buffer.alloc(1000, 'b'));
        channel.end();
      }, 100);
    });
    let got = 0;
    const result = await sshExec(connection, {
      command: 'x',
      limitMs: 20_000,
      drainMs: 300,
      onStdout: async (chunk) => {
        got += chunk.length;
        // A disk that takes nothing for longer than the guest may be silent.
        if (got === 1000) await delay(900);
      },
    });
    expect([result.exitCode, result.timedOut, got]).toEqual([0, false, 2000]);
  });

  it('takes what the host held back when the command ended within its limit', async () => {
    const { connection } = await connected((channel) => {
      channel.exit(0);
      channel.write(Buffer.alloc(1000));
      setTimeout(() => channel.end(Buffer.alloc(1000)), 100);
    });
    let got = 0;
    const result = await sshExec(connection, {
      command: 'x',
      limitMs: 500,
      drainMs: 300,
      onStdout: async (chunk) => {
        got += chunk.length;
        if (got === 1000) await delay(1000);
      },
    });
    expect([result.exitCode, result.timedOut, got]).toEqual([0, false, 2000]);
  });

  it('does not wait for a daemon that goes on writing', async () => {
    const { connection } = await connected((channel) => {
      channel.exit(0);
      const timer = setInterval(() => channel.write('x'), 20);
      channel.on('close', () => clearInterval(timer));
    });
    const result = await sshExec(connection, { command: 'x', limitMs: 500, drainMs: 200 });
    expect(result).toMatchObject({ exitCode: 0, timedOut: false, lost: false });
    expect(result.durationMs).toBeLessThan(5000);
  });

  it('does not wait for a daemon that is silent after slow output', async () => {
    const { connection } = await connected((channel) => {
      channel.exit(0);
      channel.write('done\n');
    });
    const result = await sshExec(connection, {
      command: 'x',
      limitMs: 20_000,
      drainMs: 300,
      onStdout: () => delay(600),
    });
    expect(result).toMatchObject({ exitCode: 0, timedOut: false, lost: false });
    expect(result.durationMs).toBeLessThan(5000);
  });

  it('ends early when told that the guest is dead', async () => {
    const { connection } = await connected(() => undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    expect(
      await sshExec(connection, { command: 'x', limitMs: 20_000, signal: controller.signal }),
    ).toMatchObject({ lost: true });
  });

  it('holds a fast stream back without losing any of it', async () => {
    const size = 5_000_000;
    const { connection } = await connected((channel) => {
      channel.write(Buffer.alloc(size, 1), () => {
        channel.exit(0);
        channel.end();
      });
    });
    let got = 0;
    const result = await sshExec(connection, {
      command: 'x',
      limitMs: 20_000,
      onStdout: async (chunk) => {
        await new Promise((resolve) => setImmediate(resolve));
        got += chunk.length;
      },
    });
    expect([result.exitCode, got]).toEqual([0, size]);
  });

  it('fails when whoever takes the output fails', async () => {
    const { connection } = await connected((channel) => void channel.write('x'));
    const refuse = async (): Promise<void> => {
      throw new Error('disk full');
    };
    await expect(sshExec(connection, { command: 'x', limitMs: 5000, onStdout: refuse })).rejects.toThrow(
      'disk full',
    );
  });

  it('hears an exit status that comes together with the word that the command was started', async () => {
    const { connection } = await connected((channel, command) => {
      channel.exit(Number(command));
      channel.end();
    });
    const codes = Array.from({ length: 20 }, (_, i) => i + 1);
    const results = await Promise.all(
      codes.map((code) => sshExec(connection, { command: String(code), limitMs: 5000 })),
    );
    expect(results.map(({ exitCode }) => exitCode)).toEqual(codes);
  });

  it('runs commands side by side on one connection', async () => {
    const { connection } = await connected((channel, command) => {
      setTimeout(() => (channel.exit(Number(command)), channel.end()), 50 - Number(command));
    });
    const results = await Promise.all(
      [1, 2, 3].map((code) => sshExec(connection, { command: String(code), limitMs: 5000 })),
    );
    expect(results.map(({ exitCode }) => exitCode)).toEqual([1, 2, 3]);
  });
});
