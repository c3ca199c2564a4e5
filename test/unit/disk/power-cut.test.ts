// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import {
  apply,
  operationLine,
  planOperations,
  seededRandom,
  ZERO,
  type Operation,
  type State,
} from '../../e2e/support/power-cut/operation.js';
import { blockOf, verifyAfterCut } from '../../e2e/support/power-cut/verify.js';

const bytesOf = (state: State): Map<string, Buffer> =>
  new Map([...state].map(([name, tokens]) => [name, Buffer.concat(tokens.map(blockOf))]));
const check = (acknowledged: State, pending: readonly Operation[], found: Map<string, Buffer>): string =>
  verifyAfterCut(acknowledged, pending, found).problems.join('\n');

const state: State = new Map([
  ['a.0-x', ['t1', ZERO, 't2']],
  ['b.0-x', ['t3']],
]);
const write = (name: string, block: number, ...tokens: string[]): Operation => ({
  kind: 'write',
  name,
  block,
  tokens,
  how: 'fsync',
});

describe('operations', () => {
  it('change the state as a file system does', () => {
    const after = [
      write('a.0-x', 4, 't4'),
      { kind: 'punch', name: 'a.0-x', block: 2, count: 9 },
      { kind: 'clone', from: 'b.0-x', fromBlock: 0, name: 'a.0-x', block: 1, count: 1 },
      { kind: 'truncate', name: 'a.0-x', blocks: 3 },
      { kind: 'allocate', name: 'b.0-x', block: 1, count: 1 },
      { kind: 'rename', from: 'b.0-x', name: 'b.1-y' },
      { kind: 'sync' },
    ] as const;
    const end = after.reduce<State>((now, operation) => apply(now, operation), state);
    expect([...end]).toEqual([
      ['a.0-x', ['t1', 't3', ZERO]],
      ['b.1-y', ['t3', ZERO]],
    ]);
    expect(apply(state, { kind: 'unlink', name: 'b.0-x' }).has('b.0-x')).toBe(false);
    expect(operationLine(7, write('a.0-x', 4, 't4', 't5'))).toBe('7 write a.0-x 4 t4,t5 fsync');
  });

  it('are the same for the same seed, and never use a token or an id twice', () => {
    const make = (seed: number) => planOperations(state, 500, 'w', seededRandom(seed));
    expect(make(1)).toEqual(make(1));
    expect(make(1)).not.toEqual(make(2));
    const tokens = make(1).flatMap((operation) => (operation.kind === 'write' ? operation.tokens : []));
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(new Set(make(1).map(({ kind }) => kind)).size).toBe(8);
    const end = make(1).reduce<State>((now, operation) => apply(now, operation), state);
    expect(check(end, [], bytesOf(end))).toBe('');
  });
});

describe('what is there after a power cut', () => {
  it('is right when it is the acknowledged state, a later one, or a part of the next step', () => {
    const pending = [write('a.0-x', 0, 'n1', 'n2'), write('c.0-x', 0, 'n3', 'n4')];
    const later = apply(state, pending[0]!);
    expect(check(state, [], bytesOf(state))).toBe('');
    expect(check(state, pending, bytesOf(state))).toBe('');
    expect(check(state, pending, bytesOf(later))).toBe('');
    const torn = verifyAfterCut(state, pending, bytesOf(new Map([...later, ['c.0-x', ['n3']]])));
    expect(torn.problems).toEqual([]);
    expect(torn.state.get('c.0-x')).toEqual(['n3']);
    expect(check(state, [{ kind: 'unlink', name: 'b.0-x' }], bytesOf(new Map([...state].slice(0, 1))))).toBe(
      '',
    );
  });

  it('is wrong when an acknowledged block is old, zero, missing or garbage', () => {
    const found = (tokens: string[]) => check(state, [], bytesOf(new Map([...state, ['a.0-x', tokens]])));
    expect(found(['t0', ZERO, 't2'])).toMatch(/a\.0-x, block 0: something else, not t1/);
    expect(found([ZERO, ZERO, 't2'])).toMatch(/block 0: zero, not t1/);
    expect(found(['t1', ZERO])).toMatch(/block 2: absent, not t2/);
    expect(found(['t1', ZERO, 't2', 't1'])).toMatch(/block 3: something else, not absent/);
    const garbled = bytesOf(state);
    garbled.get('a.0-x')!.writeUInt8(1, 8191);
    expect(check(state, [], garbled)).toMatch(/block 1: something else, not zero/);
  });

  it('is wrong when an overwrite that was not acknowledged has lost what was there', () => {
    const pending = [write('b.0-x', 0, 'n1')];
    expect(check(state, pending, bytesOf(new Map([...state, ['b.0-x', [ZERO]]])))).toMatch(
      /zero, not t3 or n1/,
    );
  });

  it('is wrong when a file is gone, has an old name, two names, or is there again', () => {
    const [a, b] = [...state];
    if (!a || !b) throw new Error('no state');
    expect(check(state, [], bytesOf(new Map([a])))).toMatch(/file b is gone/);
    const renamed = apply(state, { kind: 'rename', from: 'b.0-x', name: 'b.1-x' });
    expect(check(renamed, [], bytesOf(state))).toMatch(/file b has the name b\.0-x, not b\.1-x/);
    expect(check(renamed, [], bytesOf(new Map([...state, ['b.1-x', ['t3']]])))).toMatch(/two names/);
    expect(check(new Map([a]), [], bytesOf(state))).toMatch(/file b has the name b\.0-x, not gone/);
  });
});
