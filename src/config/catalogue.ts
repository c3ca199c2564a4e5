// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { UserError } from '../core/errors.js';
import type { BaseSpec, ContractSpec, DefinitionsFile, SeriesSpec, VariantSpec } from './schema.js';
import { didYouMean } from './suggest.js';
import type { Base, Contract, Expectation } from './types.js';

/** A base with its series' folder, absolute. */
export interface BaseDefinition extends Base {
  readonly series?: string;
}

/** What the first N patches of a variant are, with the whole contract that they then have. */
export interface PrefixDefinition {
  readonly title?: string;
  readonly contract: Contract;
}

/** A variant as it is written, with names looked up and paths absolute; its series is not read yet. */
export interface VariantDefinition extends Omit<VariantSpec, 'base' | 'series' | 'contract' | 'prefixes'> {
  readonly name: string;
  readonly base: BaseDefinition;
  readonly series: readonly SeriesSpec[];
  readonly contract: Contract;
  /** Number of patches -> what is different with only those. */
  readonly prefixes: ReadonlyMap<number, PrefixDefinition>;
  readonly definedIn: string;
}

export interface Catalogue {
  readonly bases: ReadonlyMap<string, BaseDefinition>;
  readonly variants: ReadonlyMap<string, VariantDefinition>;
}

interface Source {
  readonly file: string;
  readonly definitions: Pick<DefinitionsFile, 'bases' | 'contracts' | 'variants'>;
}

type Tests = Readonly<Record<string, Expectation>>;

/** Enters every item of one kind; a name that another file has taken already is an error. */
function collect<Spec, T>(
  sources: readonly Source[],
  kind: 'bases' | 'contracts' | 'variants',
  make: (name: string, spec: Spec, source: Source) => T,
): Map<string, T> {
  const all = new Map<string, T>();
  const owners = new Map<string, string>();
  for (const source of sources) {
    for (const [name, spec] of Object.entries(source.definitions[kind]) as [string, Spec][]) {
      const owner = owners.get(name);
      if (owner !== undefined) {
        throw new UserError({
          subject: `${source.file}: ${kind}.${name}`,
          observed: `${owner} has defined "${name}" already`,
          next: 'choose another name',
        });
      }
      owners.set(name, source.file);
      all.set(name, make(name, spec, source));
    }
  }
  return all;
}

/** What `name` stands for; `where` is the file and field that names it. @throws UserError */
export function lookUp<T>(map: ReadonlyMap<string, T>, name: string, where: string, what: string): T {
  const found = map.get(name);
  if (found !== undefined) return found;
  const known = [...map.keys()];
  throw new UserError({
    subject: where,
    observed: `unknown ${what} "${name}"${didYouMean(name, known)}`,
    expected: known.length > 0 ? `one of ${known.join(', ')}` : undefined,
  });
}

/** Merges the definition files, the shipped one first, and looks up what they name. @throws UserError */
export function makeCatalogue(sources: readonly Source[]): Catalogue {
  const bases = collect<BaseSpec, BaseDefinition>(sources, 'bases', (name, spec, { file }) => ({
    ...spec,
    name,
    series: spec.series === undefined ? undefined : path.resolve(path.dirname(file), spec.series),
  }));
  const contracts = collect<Tests, Tests>(sources, 'contracts', (_name, tests) => tests);
  const variants = collect<VariantSpec, VariantDefinition>(sources, 'variants', (name, spec, { file }) => {
    const at = `${file}: variants.${name}`;
    const read = (contract: ContractSpec, where: string): Contract =>
      Object.fromEntries(
        Object.entries(contract).map(([filesystem, { use, tests }]) => {
          const used = use.map((other) =>
            lookUp(contracts, other, `${where}.contract.${filesystem}`, 'contract'),
          );
          return [filesystem, Object.assign({}, ...used, tests) as Tests];
        }),
      );
    const contract = read(spec.contract, at);
    const prefixes = Object.entries(spec.prefixes).map(([count, prefix]): [number, PrefixDefinition] => [
      Number(count),
      {
        title: prefix.title,
        contract: changed(contract, read(prefix.contract, `${at}.prefixes.${count}`)),
      },
    ]);
    return {
      ...spec,
      name,
      base: lookUp(bases, spec.base, `${at}.base`, 'base'),
      series: spec.series.map((source) => absolute(source, path.dirname(file))),
      contract,
      prefixes: new Map(prefixes),
      definedIn: file,
    };
  });
  return { bases, variants };
}

/** `whole` with the tests of `changes` in the place of its own. */
function changed(whole: Contract, changes: Contract): Contract {
  const tests = Object.entries(changes).map(([filesystem, own]) => [
    filesystem,
    { ...whole[filesystem], ...own },
  ]);
  return { ...whole, ...(Object.fromEntries(tests) as Contract) };
}

function absolute(source: SeriesSpec, folder: string): SeriesSpec {
  if ('path' in source) return { path: path.resolve(folder, source.path) };
  return { ...source, tree: source.tree === undefined ? undefined : path.resolve(folder, source.tree) };
}
