// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';
import { lastWins, type Request } from './fragment.js';

const LINE = /^(?:(CONFIG_[A-Za-z0-9_]+)=(.*)|# (CONFIG_[A-Za-z0-9_]+) is not set)$/;

/** Symbol -> value of every line of a .config; `n` for "is not set". */
export function readConfig(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match?.[1]) values.set(match[1], match[2] ?? '');
    else if (match?.[3]) values.set(match[3], 'n');
  }
  return values;
}

function configLine({ symbol, value }: Pick<Request, 'symbol' | 'value'>): string {
  return value === 'n' ? `# ${symbol} is not set` : `${symbol}=${value}`;
}

/** A .config with the requests put in the place of what it said. `make olddefconfig` makes it consistent. */
export function mergeConfig(base: string, requests: readonly Request[]): string {
  const wanted = lastWins(requests);
  const symbols = new Set(wanted.map((request) => request.symbol));
  const kept = base.split('\n').filter((line) => {
    const match = LINE.exec(line);
    return !symbols.has(match?.[1] ?? match?.[3] ?? '');
  });
  return [...kept, ...wanted.map(configLine), ''].join('\n');
}

/** A request that the final .config does not honour. */
export interface Dropped {
  readonly request: Request;
  /** What the final .config has instead; undefined when the symbol is not in it at all. */
  readonly became: string | undefined;
}

/** "Is not set" is honoured as well when the symbol is not there: then nothing can set it. */
export function droppedRequests(finalConfig: string, requests: readonly Request[]): Dropped[] {
  const values = readConfig(finalConfig);
  return lastWins(requests)
    .map((request) => ({ request, became: values.get(request.symbol) }))
    .filter(({ request, became }) =>
      request.value === 'n' ? (became ?? 'n') !== 'n' : became !== request.value,
    );
}

/**
 * Refuses a configuration in which a requested symbol was dropped.
 * `defined` says whether any Kconfig file of the tree has the symbol: a misspelt one is told from one whose
 * dependencies do not hold.
 * @throws UserError naming the first one's file, line and symbol, and how many more there are.
 */
export function refuseDropped(dropped: readonly Dropped[], defined: (symbol: string) => boolean): void {
  const [first] = dropped;
  if (!first) return;
  const { request, became } = first;
  const more = dropped.length > 1 ? ` (and ${dropped.length - 1} more: ${others(dropped)})` : '';
  const known = defined(request.symbol);
  const why = known
    ? became === undefined
      ? 'is not in the final .config: what it depends on is off'
      : `became ${configLine({ symbol: request.symbol, value: became })}`
    : 'is no symbol of this kernel';
  throw new UserError({
    subject: `${request.file}:${request.line}`,
    observed: `${configLine(request)}: ${request.symbol} ${why}${more}`,
    next: known
      ? `look at its "depends on" and at who selects it: git grep -n "config ${request.symbol.slice(7)}$" -- '*Kconfig*'`
      : 'check the spelling, or drop the line for this kernel',
  });
}

function others(dropped: readonly Dropped[]): string {
  const shown = dropped
    .slice(1, 4)
    .map(({ request }) => `${request.symbol} at ${request.file}:${request.line}`);
  return dropped.length > 4 ? [...shown, '...'].join(', ') : shown.join(', ');
}
