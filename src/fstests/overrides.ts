// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { UserError } from '../core/errors.js';
import { readIfThere } from '../system/files.js';
import { readChecked } from './yaml.js';

const functionSchema = z.strictObject({
  /** Digests of every body that the override was checked against: see `bodyDigest`. */
  bodies: z.array(z.string().regex(/^[0-9a-f]{16}$/)).min(1),
  /** Trees that have this other function instead are fine too. */
  orElse: z.string().optional(),
});

const schema = z.strictObject({
  files: z.record(
    z.string(),
    z.strictObject({
      /** For people: which commits of which trees. */
      checked: z.array(z.string()).min(1),
      functions: z.record(z.string(), functionSchema),
    }),
  ),
});

export type OverrideManifest = z.infer<typeof schema>;

/** An override that does not fit a tree. */
export interface Misfit {
  /** `common/encrypt` */
  readonly file: string;
  readonly function: string;
  readonly observed: string;
  readonly checked: string;
}

/** Reads fstests-overrides/common/overrides.yaml. @throws UserError naming file and field */
export async function readManifest(file: string): Promise<OverrideManifest> {
  return readChecked(file, schema);
}

/** The definition of a shell function written as fstests writes them: `name()` at the margin, `}` at the margin. */
export function functionBody(source: string, name: string): string | undefined {
  const start = new RegExp(`^${name}\\(\\)[ \\t]*\\n?\\{`, 'm').exec(source);
  if (!start) return undefined;
  const rest = source.slice(start.index);
  const end = /^\}/m.exec(rest);
  return end ? rest.slice(0, end.index + 1) : undefined;
}

/** Sixteen hex digits of SHA-256 over a body without comment lines and with white space collapsed. */
export function bodyDigest(body: string): string {
  const code = body
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim();
  return createHash('sha256').update(code).digest('hex').slice(0, 16);
}

/** What of the manifest does not fit the tree in `dir`: functions that are gone, or not what they were. */
export async function findMisfits(manifest: OverrideManifest, dir: string): Promise<Misfit[]> {
  const misfits: Misfit[] = [];
  for (const [file, entry] of Object.entries(manifest.files)) {
    const source = await readIfThere(path.join(dir, file));
    const checked = entry.checked.join('; ');
    for (const [name, known] of Object.entries(entry.functions)) {
      const body = source === undefined ? undefined : functionBody(source, name);
      if (body === undefined) {
        if (source !== undefined && known.orElse && functionBody(source, known.orElse) !== undefined)
          continue;
        misfits.push({ file, function: name, observed: 'is not there any more', checked });
        continue;
      }
      const digest = bodyDigest(body);
      if (known.bodies.includes(digest)) continue;
      misfits.push({ file, function: name, observed: `has changed (now ${digest})`, checked });
    }
  }
  return misfits;
}

/** The error for a run on a file system that needs the overrides. */
export function misfitError(misfits: readonly Misfit[], commit: string, manifestFile: string): UserError {
  const [first] = misfits;
  const more = misfits.length > 1 ? `, and ${misfits.length - 1} more` : '';
  return new UserError({
    subject: `fstests-overrides/common on fstests ${commit.slice(0, 12)}`,
    observed: `${first?.file}: ${first?.function} ${first?.observed}${more}`,
    expected: first?.checked,
    next: `compare it with the override in ${path.dirname(manifestFile)}, then add the digest to ${path.basename(manifestFile)}; or give an older commit with --fstests`,
  });
}

/** Folders of fstests-overrides/ that have tests of their own, and the tests in each. */
export async function overriddenTests(overridesDir: string): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const variant of await readdir(overridesDir, { withFileTypes: true })) {
    if (!variant.isDirectory() || variant.name === 'common') continue;
    const tests = path.join(overridesDir, variant.name, 'tests');
    if (!(await stat(tests).catch(() => undefined))?.isDirectory()) continue;
    const ids: string[] = [];
    for (const folder of await readdir(tests, { withFileTypes: true })) {
      if (!folder.isDirectory()) continue;
      const names = await readdir(path.join(tests, folder.name));
      ids.push(...names.filter((name) => /^[0-9]{3,5}$/.test(name)).map((name) => `${folder.name}/${name}`));
    }
    if (ids.length > 0) found.set(variant.name, ids.sort());
  }
  return found;
}

/** SHA-256 over names and contents of everything below `dir`, for a store's key. */
export async function digestFolder(dir: string): Promise<string> {
  const hash = createHash('sha256');
  const visit = async (relative: string): Promise<void> => {
    const entries = await readdir(path.join(dir, relative), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = path.join(relative, entry.name);
      if (entry.isDirectory()) await visit(name);
      else if (entry.isFile() && !name.endsWith('.md')) {
        const { mode } = await stat(path.join(dir, name));
        hash
          .update(`${name}\0${mode & 0o111 ? 'x' : '-'}\0`)
          .update(await readFile(path.join(dir, name)))
          .update('\0');
      }
    }
  };
  await visit('.');
  return hash.digest('hex');
}
