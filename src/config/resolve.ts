// SPDX-License-Identifier: GPL-2.0-only
import { stat } from 'node:fs/promises';
import path from 'node:path';

import { UserError } from '../core/errors.js';
import { countPatches, sourceName } from '../series/collect.js';
import { listFolder, listFolderIfThere } from '../series/folder.js';
import type { Catalogue, VariantDefinition } from './catalogue.js';
import { didYouMean } from './suggest.js';
import type { SeriesSource, Variant } from './types.js';

/** What `+instrument` after a name adds: a series beside the base's, and the fragment that turns it on. */
const INSTRUMENT = { suffix: '+instrument', folder: 'instrument', fragment: 'instrument.config' } as const;

/** A name taken apart: `soft@2+instrument` -> soft, 2, true. */
export interface AskedVariant {
  readonly name: string;
  /** Take only this many of the variant's own patches, or of the base series where it has none. */
  readonly first?: number;
  /** Put the instrumentation on top. */
  readonly instrument: boolean;
}

/** @throws UserError when what follows the @ is not a number of patches. */
export function parseVariantName(asked: string): AskedVariant {
  const instrument = asked.endsWith(INSTRUMENT.suffix);
  const plain = instrument ? asked.slice(0, -INSTRUMENT.suffix.length) : asked;
  const at = plain.indexOf('@');
  if (at === -1) return { name: plain, instrument };
  const digits = plain.slice(at + 1);
  if (!/^(?:0|[1-9]\d{0,5})$/.test(digits)) {
    throw new UserError({
      subject: `variant ${asked}`,
      observed: `"${digits}" after the @ is not a number of patches`,
      expected: 'VARIANT@N with N of 0 (base only) or more, then +instrument if wanted',
    });
  }
  return { name: plain.slice(0, at), first: Number(digits), instrument };
}

/**
 * Everything that later stages need to know of a variant. Folders are looked at (numbers without a gap), patches
 * are not read. `tree` is where ranges of commits are looked up that name no tree.
 * @throws UserError for an unknown name, a missing series, an `@N` beyond the series, or nothing to instrument.
 */
export async function resolveVariant(catalogue: Catalogue, asked: string, tree?: string): Promise<Variant> {
  const { name, first, instrument } = parseVariantName(asked);
  const definition = catalogue.variants.get(name);
  if (!definition) {
    const known = [...catalogue.variants.keys()];
    throw new UserError({
      subject: `variant ${asked}`,
      observed: `unknown${didYouMean(name, known)}`,
      expected: `one of ${known.join(', ')}`,
      next: '`enokey variants` describes them; your own go into enokey.yaml',
    });
  }
  const own = await Promise.all(
    definition.series.map((source, index) => ownSource(definition, source, index, tree)),
  );
  // A variant without patches of its own is its base series: that is what @N counts then.
  const base = await baseSources(definition);
  const [below, counted] = own.length === 0 ? [[], base] : [base, own];
  const prefix = first === undefined ? undefined : definition.prefixes.get(first);
  const title = prefix?.title ?? definition.title;
  const notes = [
    ...(first === undefined ? [] : [`first ${first} of its patches`]),
    ...(instrument ? ['instrumented'] : []),
  ];
  return {
    name: `${name}${first === undefined ? '' : `@${first}`}${instrument ? INSTRUMENT.suffix : ''}`,
    base: {
      name: definition.base.name,
      version: definition.base.version,
      debianPackage: definition.base.debianPackage,
    },
    title: notes.length === 0 ? title : `${title} (${notes.join(', ')})`,
    series: [
      ...below,
      ...(first === undefined ? counted : await cut(asked, counted, first)),
      ...(instrument ? await instrumentSources(definition, asked, first !== undefined) : []),
    ],
    fragments: instrument ? [INSTRUMENT.fragment] : [],
    mountOptions: definition.mountOptions,
    kernelArgs: definition.kernelArgs,
    filesystems: definition.filesystems,
    overrides: definition.overrides,
    contract: prefix?.contract ?? definition.contract,
    definedIn: definition.definedIn,
  };
}

async function baseSources({ base, withBase }: VariantDefinition): Promise<SeriesSource[]> {
  if (!withBase || base.series === undefined) return [];
  return (await listFolderIfThere(base.series)).length > 0 ? [{ kind: 'folder', path: base.series }] : [];
}

/**
 * The instrumentation goes on top of any variant with the base series. What only one variant has room for is in a
 * folder `instrument-NAME` of its own; it needs that variant's whole series.
 */
async function instrumentSources(
  { base, withBase, name }: VariantDefinition,
  asked: string,
  isCut: boolean,
): Promise<SeriesSource[]> {
  const subject = `variant ${asked}`;
  if (!withBase || base.series === undefined) {
    throw new UserError({
      subject,
      observed: `${name} is without the base series, which is what is instrumented`,
      expected: 'a variant with it',
    });
  }
  const common = path.join(path.dirname(base.series), INSTRUMENT.folder);
  if ((await listFolderIfThere(common)).length === 0)
    throw new UserError({ subject, observed: `${common}: no patches` });
  const own = path.join(path.dirname(base.series), `${INSTRUMENT.folder}-${name}`);
  const hasOwn = !isCut && (await listFolderIfThere(own)).length > 0;
  return (hasOwn ? [common, own] : [common]).map((folder) => ({ kind: 'folder', path: folder }));
}

async function ownSource(
  definition: VariantDefinition,
  source: VariantDefinition['series'][number],
  index: number,
  tree?: string,
): Promise<SeriesSource> {
  const subject = `${definition.definedIn}: variants.${definition.name}.series${definition.series.length > 1 ? `[${index}]` : ''}`;
  if ('commits' in source) {
    const at = source.tree ?? tree;
    if (at === undefined) {
      throw new UserError({
        subject,
        observed: `no tree to look up ${source.commits} in`,
        next: 'name it: series: {tree: DIR, commits: A..B}',
      });
    }
    return { kind: 'commits', tree: at, range: source.commits };
  }
  const found = await stat(source.path).catch(() => undefined);
  if (!found) {
    throw new UserError({
      subject,
      observed: `${source.path}: no such file or folder`,
      expected: 'a folder of patches or an mbox',
    });
  }
  if (!found.isDirectory()) return { kind: 'mbox', path: source.path };
  if ((await listFolder(source.path)).length === 0) {
    throw new UserError({
      subject,
      observed: `${source.path}: no patches`,
      expected: '0001-NAME.patch and so on',
    });
  }
  return { kind: 'folder', path: source.path };
}

/** The first `first` patches over all of the variant's own sources. */
async function cut(asked: string, sources: readonly SeriesSource[], first: number): Promise<SeriesSource[]> {
  let left = first;
  const kept: SeriesSource[] = [];
  for (const source of sources) {
    const count = await countPatches(source);
    if (left > 0) kept.push(left < count ? { ...source, first: left } : source);
    left -= Math.min(left, count);
  }
  if (left > 0) {
    const where = sources.length === 1 && sources[0] ? ` (${sourceName(sources[0])})` : '';
    throw new UserError({
      subject: `variant ${asked}`,
      observed: `its own series has ${first - left} patch${first - left === 1 ? '' : 'es'}${where}`,
      expected: `@0 to @${first - left}`,
    });
  }
  return kept;
}
