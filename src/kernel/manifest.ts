// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

/** Raised when the form of an artifact changes; artifacts of another number are not read but built again. */
export const MANIFEST_SCHEMA = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const file = z.strictObject({ bytes: z.number().int().nonnegative(), sha256 });

/** manifest.json of an artifact. */
export const Manifest = z.strictObject({
  schema: z.literal(MANIFEST_SCHEMA),
  key: sha256,
  variant: z.string().min(1),
  profile: z.enum(['default', 'debug']),
  treeId: z.string().regex(/^[0-9a-f]{40,64}$/),
  commit: z.string().regex(/^[0-9a-f]{40,64}$/),
  /** For people: base, package version, series. */
  describe: z.string(),
  release: z.string().min(1).max(64),
  buildId: z.string().regex(/^[0-9a-f]{16,64}$/),
  compiler: z.string(),
  linker: z.string(),
  configHash: sha256,
  /** Version of enokey's way of building. */
  recipe: z.number().int(),
  /** Milliseconds that make took. */
  buildMs: z.number().nonnegative(),
  /** Objects that make built for it; few when the folder was warm. */
  objects: z.number().int().nonnegative(),
  files: z.strictObject({ vmlinux: file, config: file, 'System.map': file, 'build.log': file }),
});
export type Manifest = z.infer<typeof Manifest>;

export const ARTIFACT_FILES = ['vmlinux', 'config', 'System.map', 'build.log'] as const;
