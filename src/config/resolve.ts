// SPDX-License-Identifier: GPL-2.0-only
import { stat } from 'node:fs/promises';

import { UserError } from '../core/errors.js';
import { countPatches, sourceName } from '../series/collect.js';
import { listFolder, listFolderIfThere } from '../series/folder.js';
import type { Catalogue, VariantDefinition } from './catalogue.js';
import { didYouMean } from './suggest.js';
import type { SeriesSource, Variant } from './types.js';

/** `soft@2` -> soft and 2. @throws UserError when what follows the @ is not a number of patches. */
export function parseVariantName(asked: string): { name: string; first?: number } {
  const at = asked.indexOf('@');
  if (at === -1) return { name: asked };
  const digits = asked.slice(at + 1);
  if (!/^(?:0|[1-9]\d{0,5})$/.test(digits)) {
    throw new UserError({
      subject: `variant ${asked}`,
      observed: `"${digits}" after the @ is not a number of patches`,
      expected: 'VARIANT@N with N of 0 (base only) or more',
    });
  }
  return { name: asked.slice(0, at), first: Number(digits) };
}

/**
 * Everything that later stages need to know of a variant. Folders are looked at (numbers without a gap), patches
 * are not read. `tree` is where ranges of commits are looked up that name no tree.
 * @throws UserError for an unknown name, a missing series, or an `@N` beyond the series.
 */
export async function resolveVariant(catalogue: Catalogue, asked: string, tree?: string): Promise<Variant> {
  const { name, first } = parseVariantName(asked);
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
  return {
    name: first === undefined ? name : `${name}@${first}`,
    base: {
      name: definition.base.name,
      version: definition.base.version,
      debianPackage: definition.base.debianPackage,
    },
    title: first === undefined ? definition.title : `${definition.title} (first ${first} of its patches)`,
    series: [
      ...(await baseSources(definition)),
      ...(first === undefined ? own : await cut(asked, own, first)),
    ],
    mountOptions: definition.mountOptions,
    kernelArgs: definition.kernelArgs,
    filesystems: definition.filesystems,
    overrides: definition.overrides,
    contract: definition.contract,
    definedIn: definition.definedIn,
  };
}

async function baseSources({ base, withBase }: VariantDefinition): Promise<SeriesSource[]> {
  if (!withBase || base.series === undefined) return [];
  return (await listFolderIfThere(base.series)).length > 0 ? [{ kind: 'folder', path: base.series }] : [];
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
