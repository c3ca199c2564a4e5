// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { isUrl } from '../fstests/url.js';
import { exists } from '../system/files.js';
import { lookUp, makeCatalogue, type Catalogue } from './catalogue.js';
import { parseVariantName, resolveVariant } from './resolve.js';
import { userFile, variantsFile, type UserFile } from './schema.js';
import type { Settings } from './types.js';
import { checkYaml, readYaml } from './yaml.js';

export interface LoadOptions {
  /** Where the search for enokey.yaml begins; absolute. */
  readonly cwd: string;
  /** `--config`: this file and no search. Relative to `cwd`. */
  readonly file?: string;
  /** The folder that holds `patches/`. */
  readonly packageRoot: string;
}

/** The nearest enokey.yaml in `folder` or above it. */
export async function findUserFile(folder: string): Promise<string | undefined> {
  for (let at = folder; ; at = path.dirname(at)) {
    const candidate = path.join(at, 'enokey.yaml');
    if (await exists(candidate)) return candidate;
    if (at === path.dirname(at)) return undefined;
  }
}

/** Reads and checks the shipped variants.yaml and the user's enokey.yaml. @throws UserError */
export async function loadSettings(options: LoadOptions): Promise<Settings> {
  const shipped = path.join(options.packageRoot, 'patches', 'variants.yaml');
  const definitions = checkYaml(shipped, await readYaml(shipped), variantsFile);
  const file =
    options.file === undefined ? await findUserFile(options.cwd) : path.resolve(options.cwd, options.file);
  const user = file === undefined ? undefined : checkYaml<UserFile>(file, await readYaml(file), userFile);
  const catalogue = makeCatalogue([
    { file: shipped, definitions },
    ...(file !== undefined && user ? [{ file, definitions: user }] : []),
  ]);
  if (file !== undefined && user) checkExcluded(file, user, catalogue);
  const absolute = (relative: string | undefined): string | undefined =>
    relative === undefined || file === undefined ? undefined : path.resolve(path.dirname(file), relative);
  const tree = absolute(user?.tree);
  return {
    file,
    cache: absolute(user?.cache),
    state: absolute(user?.runs),
    jobs: user?.jobs,
    tree,
    fstests: user?.fstests !== undefined && isUrl(user.fstests) ? user.fstests : absolute(user?.fstests),
    iterations: user?.iterations,
    filesystems: user?.filesystems,
    tests: user?.tests,
    profile: user?.profile,
    exclude: user?.exclude ?? [],
    probeArgs: user?.probeArgs ?? {},
    bases: [...catalogue.bases.values()],
    variantNames: [...catalogue.variants.keys()],
    resolve: (name) => resolveVariant(catalogue, name, tree),
  };
}

/** An exclusion of what does not exist is a slip of the finger, and would let the cells run. @throws UserError */
function checkExcluded(file: string, user: UserFile, catalogue: Catalogue): void {
  for (const [index, { variant }] of user.exclude.entries()) {
    if (variant === undefined) continue;
    const where = `${file}: exclude[${index}].variant`;
    lookUp(catalogue.variants, parseVariantName(variant).name, where, 'variant');
  }
}
