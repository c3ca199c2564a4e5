// SPDX-License-Identifier: GPL-2.0-only

export const BLOCK = 4096;
/** Longest file, in blocks. */
const MAX_BLOCKS = 48;
const MAX_FILES = 20;

/** One operation of writer.pl. Files go by an id that is never used again; `name` says it: ID.GENERATION-... */
export type Operation =
  | {
      readonly kind: 'write';
      readonly name: string;
      readonly block: number;
      /** What each block is to contain: a word that never comes again. */
      readonly tokens: readonly string[];
      readonly how: 'fsync' | 'fdatasync' | 'direct';
    }
  | { readonly kind: 'truncate'; readonly name: string; readonly blocks: number }
  | {
      readonly kind: 'punch';
      readonly name: string;
      readonly block: number;
      readonly count: number;
    }
  | { readonly kind: 'allocate'; readonly name: string; readonly block: number; readonly count: number }
  | {
      readonly kind: 'clone';
      readonly from: string;
      readonly fromBlock: number;
      readonly name: string;
      readonly block: number;
      readonly count: number;
    }
  | { readonly kind: 'rename'; readonly from: string; readonly name: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'sync' };

/** What a block of a file is: zeroes, or what was written with a token. */
export const ZERO = 'zero';
/** Name of each file to its blocks' tokens. */
export type State = ReadonlyMap<string, readonly string[]>;

/** A line of writer.pl's list. */
export function operationLine(number: number, operation: Operation): string {
  const { kind } = operation;
  switch (kind) {
    case 'write':
      return `${number} write ${operation.name} ${operation.block} ${operation.tokens.join(',')} ${operation.how}`;
    case 'truncate':
      return `${number} truncate ${operation.name} ${operation.blocks}`;
    case 'punch':
    case 'allocate':
      return `${number} ${kind} ${operation.name} ${operation.block} ${operation.count}`;
    case 'clone':
      return (
        `${number} clone ${operation.from} ${operation.fromBlock} ` +
        `${operation.name} ${operation.block} ${operation.count}`
      );
    case 'rename':
      return `${number} rename ${operation.from} ${operation.name}`;
    case 'unlink':
      return `${number} unlink ${operation.name}`;
    case 'sync':
      return `${number} sync`;
  }
}

/** The state after an operation. */
export function apply(state: State, operation: Operation): State {
  const next = new Map(state);
  if (operation.kind === 'sync') return next;
  if (operation.kind === 'unlink') {
    next.delete(operation.name);
    return next;
  }
  if (operation.kind === 'rename') {
    next.set(operation.name, state.get(operation.from) ?? []);
    next.delete(operation.from);
    return next;
  }
  const blocks = [...(state.get(operation.name) ?? [])];
  const grow = (length: number): void => {
    while (blocks.length < length) blocks.push(ZERO);
  };
  if (operation.kind === 'truncate') {
    grow(operation.blocks);
    blocks.length = operation.blocks;
  } else if (operation.kind === 'punch') {
    blocks.fill(ZERO, operation.block, Math.min(operation.block + operation.count, blocks.length));
  } else if (operation.kind === 'allocate') {
    grow(operation.block + operation.count);
  } else {
    const tokens =
      operation.kind === 'write'
        ? operation.tokens
        : (state.get(operation.from) ?? []).slice(operation.fromBlock, operation.fromBlock + operation.count);
    grow(operation.block + tokens.length);
    blocks.splice(operation.block, tokens.length, ...tokens);
  }
  next.set(operation.name, blocks);
  return next;
}

/** Small, seeded: mulberry32. Integers in [0, below). */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function fileId(name: string): string {
  return name.slice(0, name.indexOf('.'));
}

/** Makes `count` operations that can follow each other from `state`; `word` begins each token and new id. */
export function planOperations(
  state: State,
  count: number,
  word: string,
  random: (below: number) => number,
): Operation[] {
  const operations: Operation[] = [];
  let now = state;
  let serial = 0;
  while (operations.length < count) {
    const operation = plan(now, word, ++serial, random);
    if (!operation) continue;
    operations.push(operation);
    now = apply(now, operation);
  }
  return operations;
}

function plan(
  state: State,
  word: string,
  serial: number,
  random: (below: number) => number,
): Operation | undefined {
  const names = [...state.keys()];
  const pick = (): string => names[random(names.length)] ?? '';
  const tokens = (): string[] => Array.from({ length: 1 + random(12) }, (_, at) => `${word}-${serial}-${at}`);
  const how = (['fsync', 'fdatasync', 'direct'] as const)[random(3)] ?? 'fsync';
  const chance = random(100);
  if (names.length < 3 || (chance < 15 && names.length < MAX_FILES)) {
    const name = `${word}x${serial}.0-${'a-long-name-'.repeat(1 + random(14))}`;
    return { kind: 'write', name, block: 0, tokens: tokens(), how };
  }
  const name = pick();
  const length = state.get(name)?.length ?? 0;
  const block = random(Math.min(length + 2, MAX_BLOCKS - 12));
  if (chance < 60) return { kind: 'write', name, block, tokens: tokens(), how };
  if (chance < 68) return { kind: 'truncate', name, blocks: random(MAX_BLOCKS) };
  if (chance < 76 && length > 1) return { kind: 'punch', name, block: random(length), count: 1 + random(8) };
  if (chance < 84) return { kind: 'allocate', name, block, count: 1 + random(12) };
  if (chance < 90) {
    const from = pick();
    const source = state.get(from)?.length ?? 0;
    if (from === name || source === 0) return undefined;
    const fromBlock = random(source);
    return {
      kind: 'clone',
      from,
      fromBlock,
      name,
      block,
      count: 1 + random(Math.min(12, source - fromBlock)),
    };
  }
  if (chance < 95) {
    const generation = Number(/\.(\d+)-/.exec(name)?.[1]) + 1;
    return {
      kind: 'rename',
      from: name,
      name: `${fileId(name)}.${generation}-${'b'.repeat(1 + random(150))}`,
    };
  }
  if (chance < 98) return names.length > 6 ? { kind: 'unlink', name } : undefined;
  return { kind: 'sync' };
}
