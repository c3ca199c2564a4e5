// SPDX-License-Identifier: GPL-2.0-only

export interface KernelVersion {
  readonly version: number;
  readonly patchlevel: number;
  readonly sublevel: number;
  /** `-rc1`, or empty. */
  readonly extra: string;
  /** As `make kernelversion` prints it: `7.3.4`, `7.3.0-rc1`. */
  readonly text: string;
}

/** Reads the first lines of a kernel's top Makefile. Undefined when it is no kernel's. */
export function parseMakefile(makefile: string): KernelVersion | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}[ \\t]*:?=[ \\t]*(.*?)[ \\t]*$`, 'm').exec(makefile)?.[1];
  const [version, patchlevel] = [field('VERSION'), field('PATCHLEVEL')];
  const sublevel = field('SUBLEVEL') || '0';
  const extra = field('EXTRAVERSION');
  if (
    extra === undefined ||
    !/^\d+$/.test(version ?? '') ||
    !/^\d+$/.test(patchlevel ?? '') ||
    !/^\d+$/.test(sublevel)
  ) {
    return undefined;
  }
  return {
    version: Number(version),
    patchlevel: Number(patchlevel),
    sublevel: Number(sublevel),
    extra,
    text: `${version}.${patchlevel}.${sublevel}${extra}`,
  };
}

/**
 * Whether a series for release `wanted` (`7.3`, `7.3.4`) may go onto `found`: `7.3` accepts all of 7.3.x, but no
 * release candidate of 7.3.0, which lacks what was merged until the release.
 */
export function isRelease(found: KernelVersion, wanted: string): boolean {
  const [version, patchlevel, sublevel] = wanted.split('.').map(Number);
  if (found.version !== version || found.patchlevel !== patchlevel) return false;
  if (sublevel !== undefined && found.sublevel !== sublevel) return false;
  return !/^-rc\d/.test(found.extra);
}

/** Takes `make kernelversion` apart again: `7.3.0-rc1`. */
export function parseVersion(text: string): KernelVersion | undefined {
  const [, version, patchlevel, sublevel, extra = ''] = /^(\d+)\.(\d+)\.(\d+)(.*)$/.exec(text) ?? [];
  if (version === undefined || patchlevel === undefined || sublevel === undefined) return undefined;
  return {
    version: Number(version),
    patchlevel: Number(patchlevel),
    sublevel: Number(sublevel),
    extra,
    text,
  };
}
