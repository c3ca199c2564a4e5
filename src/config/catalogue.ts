// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { UserError } from '../core/errors.js';
import type { BaseSpec, DefinitionsFile, SeriesSpec, VariantSpec } from './schema.js';
import { didYouMean } from './suggest.js';
import type { Base, Contract, Expectation } from './types.js';

/** A base with its series' folder, absolute. */
export interface BaseDefinition extends Base {
  readonly series?: string;
}

/** A variant as it is written, with names looked up and paths absolute; its series is not read yet. */
export interface VariantDefinition extends Omit<VariantSpec, 'base' | 'series' | 'contract'> {
  readonly name: string;
  readonly base: BaseDefinition;
  readonly series: readonly SeriesSpec[];
  readonly contract: Contract;
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

function lookUp<T>(map: ReadonlyMap<string, T>, name: string, where: string, what: string): T {
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
    const contract = Object.entries(spec.contract).map(([filesystem, { use, tests }]): [string, Tests] => {
      const used = use.map((other) => lookUp(contracts, other, `${at}.contract.${filesystem}`, 'contract'));
      return [filesystem, Object.assign({}, ...used, tests) as Tests];
    });
    return {
      ...spec,
      name,
      base: lookUp(bases, spec.base, `${at}.base`, 'base'),
      series: spec.series.map((source) => absolute(source, path.dirname(file))),
      contract: Object.fromEntries(contract),
      definedIn: file,
    };
  });
  return { bases, variants };
}

function absolute(source: SeriesSpec, folder: string): SeriesSpec {
  if ('path' in source) return { path: path.resolve(folder, source.path) };
  return { ...source, tree: source.tree === undefined ? undefined : path.resolve(folder, source.tree) };
}
