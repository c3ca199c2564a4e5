// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';

import { apply, BLOCK, fileId, ZERO, type Operation, type State } from './operation.js';

const ABSENT = 'absent';
const zeroes = Buffer.alloc(BLOCK);

/** A block that was written with a token: the digest of the token again and again, as writer.pl does. */
export function blockOf(token: string): Buffer {
  if (token === ZERO) return zeroes;
  const digest = createHash('sha512').update(token).digest();
  return Buffer.concat(Array.from({ length: BLOCK / digest.length }, () => digest));
}

export interface Verdict {
  readonly problems: string[];
  /** What was found, as far as it is right: the state from which to go on. */
  readonly state: State;
}

/** By file id. */
type Files = ReadonlyMap<string, { readonly name: string; readonly blocks: readonly string[] }>;

function byId(state: State): Files {
  return new Map([...state].map(([name, blocks]) => [fileId(name), { name, blocks }]));
}

/**
 * Compares what a mount shows after a power cut with what must be there.
 * @param acknowledged the state after the last operation that was acknowledged: all of it must be there
 * @param pending operations after it, of which any number may have happened, the last of them in part
 * @param found name and bytes of each file
 */
export function verifyAfterCut(
  acknowledged: State,
  pending: readonly Operation[],
  found: ReadonlyMap<string, Buffer>,
): Verdict {
  const states = [byId(acknowledged)];
  let state = acknowledged;
  for (const operation of pending) states.push(byId((state = apply(state, operation))));

  const problems: string[] = [];
  const result = new Map<string, string[]>();
  const foundById = new Map<string, string>();
  for (const name of found.keys()) {
    const id = fileId(name);
    const other = foundById.get(id);
    if (other !== undefined) problems.push(`file ${id} has two names: ${other}, ${name}`);
    foundById.set(id, name);
  }
  for (const id of new Set([...states.flatMap((files) => [...files.keys()]), ...foundById.keys()])) {
    const could = states.map((files) => files.get(id));
    const name = foundById.get(id);
    if (name === undefined) {
      if (!could.includes(undefined)) problems.push(`file ${id} is gone: ${could[0]?.name}`);
      continue;
    }
    if (!could.some((file) => file?.name === name)) {
      problems.push(`file ${id} has the name ${name}, not ${could[0]?.name ?? 'gone'}`);
      continue;
    }
    const bytes = found.get(name) ?? Buffer.alloc(0);
    if (bytes.length % BLOCK !== 0) problems.push(`${name} has ${bytes.length} bytes`);
    result.set(
      name,
      verifyBlocks(
        name,
        could.map((file) => file?.blocks ?? []),
        bytes,
        problems,
      ),
    );
  }
  return { problems, state: result };
}

function verifyBlocks(
  name: string,
  could: readonly (readonly string[])[],
  bytes: Buffer,
  problems: string[],
): string[] {
  const tokens: string[] = [];
  const longest = Math.max(bytes.length / BLOCK, ...could.map((blocks) => blocks.length));
  for (let index = 0; index < longest; index++) {
    const allowed = new Set(could.map((blocks) => blocks[index] ?? ABSENT));
    // A file may have grown before the data that it grew for was there.
    if (allowed.has(ABSENT) && allowed.size > 1) allowed.add(ZERO);
    const block = bytes.subarray(index * BLOCK, (index + 1) * BLOCK);
    const is = [...allowed].find((token) =>
      token === ABSENT ? block.length === 0 : blockOf(token).equals(block),
    );
    if (is === undefined) {
      const what = block.length === 0 ? ABSENT : block.equals(zeroes) ? ZERO : 'something else';
      problems.push(`${name}, block ${index}: ${what}, not ${[...allowed].slice(0, 4).join(' or ')}`);
    } else if (is !== ABSENT) tokens.push(is);
  }
  return tokens;
}
