// SPDX-License-Identifier: GPL-2.0-only
import { run } from '../system/process.js';

interface Symbol {
  readonly address: bigint;
  readonly size: bigint;
}

/** `func+0x12/0x34` without a module behind it: modules are not in vmlinux. */
const REFERENCE = /\b([A-Za-z_][\w.]*)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?![0-9a-f]| \[)/g;

/** Symbol tables by vmlinux path: reading one takes half a second, and the file never changes in the store. */
const tables = new Map<string, Promise<Map<string, Symbol[]>>>();

async function readTable(vmlinux: string, signal?: AbortSignal): Promise<Map<string, Symbol[]>> {
  const table = new Map<string, Symbol[]>();
  const take = (line: string): void => {
    const [address, size, type, name] = line.split(' ');
    if (!address || !size || !type || !name || !/^[tTwW]$/.test(type)) return;
    const symbol = { address: BigInt(`0x${address}`), size: BigInt(`0x${size}`) };
    table.set(name, [...(table.get(name) ?? []), symbol]);
  };
  await run('nm', ['-S', '--defined-only', vmlinux], {
    timeoutMs: 60_000,
    signal,
    keepBytes: 1024,
    onLine: (line, stream) => stream === 'stdout' && take(line),
  });
  return table;
}

/**
 * The symbol that a reference names. Static functions share names: the size tells them apart (kallsyms rounds up to
 * the next symbol, so that an exact match may be missing). Undefined when it stays ambiguous.
 */
function resolve(symbols: readonly Symbol[] | undefined, size: bigint): Symbol | undefined {
  if (!symbols?.length) return undefined;
  const exact = symbols.filter((symbol) => symbol.size === size);
  if (exact.length === 1) return exact[0];
  const near = symbols.filter((symbol) => symbol.size <= size && size - symbol.size < 64n);
  if (near.length === 1) return near[0];
  return symbols.length === 1 ? symbols[0] : undefined;
}

/** Output of `addr2line -a -f`: for each address its line, the function, and file:line. */
function parseAddr2line(text: string): Map<bigint, string> {
  const places = new Map<bigint, string>();
  const lines = text.split('\n');
  for (let at = 0; at + 2 < lines.length; at += 3) {
    const place = (lines[at + 2] ?? '').replace(/ \(discriminator \d+\)$/, '');
    if (
      /^0x/.test(lines[at] ?? '') &&
      !place.startsWith('??') &&
      !place.endsWith(':?') &&
      !place.endsWith(':0')
    ) {
      places.set(BigInt(lines[at] ?? '0'), place);
    }
  }
  return places;
}

/**
 * Adds `(file:line)` behind every `func+0xoff/0xsize` of the reports that vmlinux can place. Text stays as it is where
 * it cannot: no debug information, unknown symbol, no addr2line. Never throws but for an interruption.
 */
export async function symbolise(
  reports: readonly string[],
  vmlinux: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const references = new Map<string, { name: string; offset: bigint; size: bigint; exact: boolean }>();
  for (const report of reports) {
    for (const line of report.split('\n')) {
      for (const [text, name, offset, size] of line.matchAll(REFERENCE)) {
        // RIP points at the instruction; a return address points behind the call.
        const exact = /\bRIP: /.test(line);
        references.set(key(text, exact), {
          name: name ?? '',
          offset: BigInt(`0x${offset}`),
          size: BigInt(`0x${size}`),
          exact,
        });
      }
    }
  }
  if (references.size === 0) return [...reports];
  try {
    let pending = tables.get(vmlinux);
    if (!pending) {
      pending = readTable(vmlinux, signal);
      tables.set(vmlinux, pending);
      pending.catch(() => tables.delete(vmlinux));
    }
    const table = await pending;
    const addresses = new Map<string, bigint>();
    for (const [text, { name, offset, size, exact }] of references) {
      const symbol = resolve(table.get(name), size);
      if (symbol) addresses.set(text, symbol.address + offset - (exact || offset === 0n ? 0n : 1n));
    }
    const anchor = resolve(table.get('start_kernel'), table.get('start_kernel')?.[0]?.size ?? 0n)?.address;
    const wanted = [...new Set([...addresses.values(), ...(anchor === undefined ? [] : [anchor])])];
    if (wanted.length === 0) return [...reports];
    const result = await run('addr2line', ['-a', '-f', '-e', vmlinux], {
      input: `${wanted.map((address) => `0x${address.toString(16)}`).join('\n')}\n`,
      timeoutMs: 60_000,
      signal,
    });
    const places = parseAddr2line(result.stdout);
    // Where the kernel was built is nobody's business: start_kernel() is in init/main.c of it.
    const root = /^(.*\/)init\/main\.c:/.exec((anchor !== undefined && places.get(anchor)) || '')?.[1] ?? '';
    const name = (text: string, exact: boolean): string => {
      const address = addresses.get(key(text, exact));
      const place = address === undefined ? undefined : places.get(address);
      return place ? `${text} (${place.startsWith(root) ? place.slice(root.length) : place})` : text;
    };
    return reports.map((report) =>
      report
        .split('\n')
        .map((line) => line.replace(REFERENCE, (text) => name(text, /\bRIP: /.test(line))))
        .join('\n'),
    );
  } catch (error) {
    if (signal?.aborted) throw error;
    return [...reports];
  }
}

function key(text: string, exact: boolean): string {
  return `${exact ? '=' : '-'}${text}`;
}
