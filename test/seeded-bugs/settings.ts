// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Bug } from './bug.js';

/** What of patches/variants.yaml is needed here. */
export interface Shipped {
  readonly variants: Readonly<
    Record<string, { readonly series?: unknown } & Readonly<Record<string, unknown>>>
  >;
}

/**
 * An enokey.yaml with one more variant: that of the bug with its contract and all, and the bug's patch on top of
 * its series, or on the base series when it has none of its own. Written as JSON, which is YAML too.
 */
export function settingsWith(
  bug: Bug,
  shipped: Shipped,
  folders: { readonly patches: string; readonly bugs: string },
): string {
  const variant = shipped.variants[bug.variant];
  if (!variant || !['string', 'undefined'].includes(typeof variant.series))
    throw new Error(`variant ${bug.variant}: its series is not one folder`);
  const own = typeof variant.series === 'string' ? [path.join(folders.patches, variant.series)] : [];
  const settings = {
    variants: {
      [bug.name]: {
        ...variant,
        title: `${bug.variant} with the seeded bug ${bug.patch}`,
        series: [...own, path.join(folders.bugs, `${bug.patch}.patch`)],
      },
    },
    ...('test' in bug && bug.args.length > 0 && { probeArgs: { [bug.test]: bug.args } }),
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
