// SPDX-License-Identifier: GPL-2.0-only
import net from 'node:net';

interface Reply {
  readonly QMP?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly event?: string;
  readonly id?: number;
}

/** QEMU's machine protocol on a unix socket (docs/interop/qmp-spec.txt), one command at a time. */
export class Qmp {
  private readonly waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  private nextId = 1;
  private rest = '';
  private greeted!: () => void;

  private constructor(private readonly socket: net.Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.receive(text));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('QMP: the connection was closed'));
      this.waiting.clear();
    });
  }

  /** Connects and leaves negotiation mode. Rejects when QEMU does not answer within `limitMs` (it may be stopped). */
  static async connect(path: string, limitMs: number): Promise<Qmp> {
    const socket = net.createConnection(path);
    const qmp = new Qmp(socket);
    const greeting = new Promise<void>((resolve) => (qmp.greeted = resolve));
    try {
      await within(limitMs, 'no greeting', Promise.race([greeting, failure(socket)]));
      await qmp.execute('qmp_capabilities', {}, limitMs);
      return qmp;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Runs a command and gives what it returned. @throws Error on QEMU's error, a closed socket, or `limitMs`. */
  async execute(
    command: string,
    args: Readonly<Record<string, unknown>> = {},
    limitMs = 2000,
  ): Promise<unknown> {
    const id = this.nextId++;
    const reply = new Promise<unknown>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    try {
      return await within(limitMs, `${command}: no answer`, reply);
    } finally {
      this.waiting.delete(id);
    }
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(text: string): void {
    this.rest += text;
    const lines = this.rest.split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.trim()) continue;
      let reply: Reply;
      try {
        reply = JSON.parse(line) as Reply;
      } catch {
        continue;
      }
      if (reply.QMP) this.greeted();
      const waiting = reply.id === undefined ? undefined : this.waiting.get(reply.id);
      if (reply.error) waiting?.reject(new Error(`QMP: ${reply.error.desc}`));
      else waiting?.resolve(reply.return);
    }
  }
}

function failure(socket: net.Socket): Promise<never> {
  return new Promise((_resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('QMP: the connection was closed')));
  });
}

async function within<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`QMP: ${what} within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** Runs one command on a connection of its own. */
export async function qmpOnce(
  path: string,
  command: string,
  args: Readonly<Record<string, unknown>> = {},
  limitMs = 2000,
): Promise<unknown> {
  const qmp = await Qmp.connect(path, limitMs);
  try {
    return await qmp.execute(command, args, limitMs);
  } finally {
    qmp.close();
  }
}
