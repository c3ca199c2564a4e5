// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { InfraError } from '../core/errors.js';
import { step } from '../core/events.js';
import { requireSpace } from '../system/disk.js';
import { exists } from '../system/files.js';
import { withLock } from '../system/lock.js';
import { prepareVariantTree } from '../tree/prepare.js';
import type { VariantTree } from '../tree/types.js';
import { buildFolder, buildLock, OUTPUT, switchWorktree } from '../tree/worktree.js';
import { compile } from './compile.js';
import { configSources } from './config-sources.js';
import { configure, findConfig, rememberConfig } from './configure.js';
import { readBuildId } from './elf.js';
import type { Request } from './fragment.js';
import { readFragments } from './fragments.js';
import { artifactKey, configKey, RECIPE_VERSION, sha256 } from './key.js';
import { MANIFEST_SCHEMA } from './manifest.js';
import { localVersion } from './release.js';
import { findArtifact, storeArtifact } from './store.js';
import { readToolchain, type Toolchain } from './toolchain.js';
import type { Artifact, Profile } from './types.js';

export interface BuildOptions {
  readonly variant: Variant;
  readonly profile: Profile;
  /** The user's kernel tree, absolute; without it, the base's release is imported. */
  readonly tree?: string;
  /** Commit-ish in that tree. */
  readonly onto?: string;
  /** The user's config fragments, absolute; they win over the shipped ones. */
  readonly fragments?: readonly string[];
}

export interface BuildResult {
  readonly artifact: Artifact;
  /** True when the store had it and nothing was compiled. */
  readonly fromStore: boolean;
  /** Milliseconds in make; 0 from the store. */
  readonly buildMs: number;
  /** Objects that make built; 0 from the store. */
  readonly objects: number;
}

/** A cold build's folder with its worktree, and one artifact, rounded up: measured 1.9 + 0.7 + 0.2 GB. */
const COLD_BYTES = 4 * 1024 ** 3;
const WARM_BYTES = 512 * 1024 ** 2;

/** Everything known before a folder is touched. */
interface Plan {
  readonly variantTree: VariantTree;
  readonly requests: readonly Request[];
  readonly tools: Toolchain;
  readonly localVersion: string;
  readonly release: string;
  readonly configKey: string;
}

/**
 * The kernel of a variant: from the store, or built. Two builds that need one folder take turns; the second then
 * finds in the store what the first made, when they were after the same.
 * @throws UserError for a dropped config symbol, a patch that does not apply, a compiler error in the user's source;
 *   InfraError for a full disk or a broken toolchain; InterruptedError.
 */
export async function buildKernel(context: Context, options: BuildOptions): Promise<BuildResult> {
  const { variant, profile } = options;
  const plan = await makePlan(context, options);
  const id = `kernel.build/${variant.name}/${profile}`;
  const title = `Build ${variant.base.name} ${variant.name} (${profile})`;
  const stored = await fromStore(context, plan);
  if (stored) {
    context.emit({
      type: 'step',
      id,
      title,
      state: 'skipped',
      detail: `in the store: ${stored.artifact.release}`,
    });
    return stored;
  }
  return step(
    context.emit,
    id,
    title,
    async (progress) => {
      const folder = buildFolder(context, variant.base.name, profile);
      const cold = !(await exists(path.join(folder, OUTPUT, 'vmlinux')));
      await requireSpace(
        context.dirs.cache,
        cold ? COLD_BYTES : WARM_BYTES,
        `building ${variant.name} (${profile})`,
      );
      const lock = buildLock(context, variant.base.name, profile);
      return withLock(
        lock,
        `build ${variant.name} (${profile})`,
        context.signal,
        async () =>
          (await fromStore(context, plan)) ?? (await buildInFolder(context, options, plan, folder, progress)),
        (owner) => {
          const who = owner ? `process ${owner.pid}: ${owner.purpose}` : 'another process';
          context.emit({ type: 'note', level: 'info', text: `${folder}: waiting for ${who}` });
          progress(`waiting for ${who}`);
        },
      );
    },
    ({ artifact, fromStore: hit, buildMs, objects }) =>
      hit
        ? `in the store: ${artifact.release}`
        : `${artifact.release}, ${objects} objects in ${Math.round(buildMs / 1000)} s`,
  );
}

/** The variant's artifact when the store has it. Builds nothing; may import the base to learn the tree's id. */
export async function findKernel(context: Context, options: BuildOptions): Promise<Artifact | undefined> {
  return (await fromStore(context, await makePlan(context, options)))?.artifact;
}

async function makePlan(context: Context, options: BuildOptions): Promise<Plan> {
  const { variant, profile, tree, onto } = options;
  const [requests, tools] = await Promise.all([
    readFragments(context, profile, variant.fragments ?? [], options.fragments ?? []),
    readToolchain(context.signal),
  ]);
  const variantTree = await prepareVariantTree(context, { variant, tree, onto });
  const local = localVersion(variantTree.version, variant.name, variantTree.treeId);
  return {
    variantTree,
    requests,
    tools,
    localVersion: local,
    release: `${variantTree.version}${local}`,
    configKey: configKey(variantTree.treeId, requests, tools),
  };
}

async function fromStore(context: Context, plan: Plan): Promise<BuildResult | undefined> {
  const config = await knownConfig(context, plan);
  if (config === undefined) return undefined;
  const artifact = await findArtifact(
    context,
    artifactKey(plan.variantTree.treeId, config, plan.release, plan.tools),
  );
  return artifact && { artifact, fromStore: true, buildMs: 0, objects: 0 };
}

/**
 * The .config of this tree, or of one before it that differs in nothing that Kconfig reads. The tree's own key is
 * asked for first: listing a kernel takes a tenth of a second.
 */
async function knownConfig(context: Context, plan: Plan): Promise<string | undefined> {
  const own = await findConfig(context, plan.configKey);
  if (own !== undefined) return own;
  const shared = await findConfig(context, await sharedKey(context, plan));
  if (shared !== undefined) await rememberConfig(context, plan.configKey, shared);
  return shared;
}

async function sharedKey(context: Context, { variantTree, requests, tools }: Plan): Promise<string> {
  return configKey(await configSources(context, variantTree), requests, tools);
}

async function buildInFolder(
  context: Context,
  options: BuildOptions,
  plan: Plan,
  folder: string,
  progress: (detail?: string, fraction?: number) => void,
): Promise<BuildResult> {
  const { variant, profile } = options;
  const { variantTree, requests, tools, release } = plan;
  await mkdir(folder, { recursive: true });
  progress('switching the worktree');
  await switchWorktree(context, { variantTree, base: variant.base.name, profile });

  let config = await knownConfig(context, plan);
  if (config === undefined) {
    progress('configuring');
    config = await configure(context, { folder, requests, tools });
    await rememberConfig(context, plan.configKey, config);
    await rememberConfig(context, await sharedKey(context, plan), config);
  }
  const key = artifactKey(variantTree.treeId, config, release, tools);
  const log = path.join(folder, 'build.log');
  progress('compiling');
  const built = await compile(context, {
    folder,
    config,
    localVersion: plan.localVersion,
    tools,
    log,
    sourceIsTheUsers: variant.series.length > 0 || options.tree !== undefined,
    name: `${variant.name} (${profile})`,
    progress,
  });
  await refuseOtherRelease(path.join(folder, OUTPUT), release);
  progress('storing');
  const artifact = await storeArtifact(context, {
    manifest: {
      schema: MANIFEST_SCHEMA,
      key,
      variant: variant.name,
      profile,
      treeId: variantTree.treeId,
      commit: variantTree.commit,
      describe: variantTree.describe,
      release,
      buildId: await readBuildId(built.vmlinux),
      compiler: tools.compiler,
      linker: tools.linker,
      configHash: sha256(config),
      recipe: RECIPE_VERSION,
      buildMs: Math.round(built.durationMs),
      objects: built.objects,
    },
    sources: {
      vmlinux: built.vmlinux,
      'System.map': built.systemMap,
      config: built.config,
      'build.log': log,
    },
  });
  return { artifact, fromStore: false, buildMs: built.durationMs, objects: built.objects };
}

/** A guest must prove this release: a tree whose own scripts add to it would make every cell `infra`. */
async function refuseOtherRelease(output: string, release: string): Promise<void> {
  const said = (await readFile(path.join(output, 'include', 'config', 'kernel.release'), 'utf8')).trim();
  if (said === release) return;
  throw new InfraError({
    subject: 'kernel release',
    observed: `make says ${said}`,
    expected: release,
    next: 'look for localversion* files in the tree',
  });
}
