// SPDX-License-Identifier: GPL-2.0-only
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { openPipe, type Pipe } from '../../../src/system/pipe.js';

const PIECE = Buffer.alloc(1000, 'x');

/** `pieces` times PIECE; what is done before the end is seen. */
async function* pieces(count: number, atEnd?: () => Promise<unknown>): AsyncGenerator<Buffer> {
  for (let piece = 0; piece < count; piece++) yield PIECE;
  await atEnd?.();
}

/** Everything that a program printed. */
async function output(pipe: Pipe): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of pipe.stdout) chunks.push(chunk);
  await pipe.done;
  return Buffer.concat(chunks).toString('utf8');
}

const start = (script: string, input?: AsyncIterable<Buffer>): Pipe =>
  openPipe('sh', ['-c', script], { signal: new AbortController().signal, input });

describe('a pipe', () => {
  it('gives a program all of its input, however slow it is', async () => {
    expect(await output(start('sleep 0.1; wc -c', pieces(1000)))).toBe('1000000\n');
    expect(await output(start('wc -c', pieces(0)))).toBe('0\n');
  });

  it('is done when the program took everything and went away before we closed', async () => {
    for (let round = 0; round < 20; round++) {
      const pipe: Pipe = start(
        'head -c 5000 | wc -c',
        pieces(5, () => ended(pipe)),
      );
      expect(await output(pipe)).toBe('5000\n');
    }
  });

  it('is done when that happens in the middle of closing', async () => {
    const rounds = Array.from({ length: 60 }, async (_, round) => {
      const pipe = start(
        'head -c 5000 > /dev/null',
        pieces(5, () => delay(round % 12)),
      );
      await expect(pipe.done).resolves.toBeUndefined();
    });
    await Promise.all(rounds);
  });

  it('fails when a program that succeeds did not take everything', async () => {
    const pipe = start('head -c 10 > /dev/null; exec 0<&-; sleep 0.2', pieces(10_000));
    await expect(pipe.done).rejects.toThrow();
    const late = start('exec 0<&-', slow(10));
    await expect(late.done).rejects.toThrow();
  });

  it('fails with what the program said', async () => {
    await expect(start('cat > /dev/null; echo no >&2; exit 3', pieces(3)).done).rejects.toThrow(/exit 3: no/);
    await expect(start('exit 4', pieces(1000)).done).rejects.toThrow(/exit 4/);
  });

  it('ends with a failure of its input', async () => {
    const input = new PassThrough();
    const pipe = start('cat', input);
    input.write('a');
    await once(pipe.stdout as PassThrough, 'data');
    input.destroy(new Error('the source broke'));
    await expect(pipe.done).rejects.toThrow(/the source broke/);
  });
});

/** Pieces of which each comes a while after the one before. */
async function* slow(count: number): AsyncGenerator<Buffer> {
  for (let piece = 0; piece < count; piece++) {
    await delay(30);
    yield PIECE;
  }
}

/** Until the program of a pipe has ended: its output is over. */
async function ended(pipe: Pipe): Promise<void> {
  const stream = pipe.stdout as PassThrough;
  if (!stream.readableEnded) await once(stream, 'end');
  await delay(5);
}
