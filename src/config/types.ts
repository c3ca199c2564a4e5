// SPDX-License-Identifier: GPL-2.0-only
import type { Outcome } from '../core/outcome.js';

/** One source of patches, resolved to absolute paths. Applied in the order given. */
export type SeriesSource =
  | {
      readonly kind: 'folder';
      readonly path: string;
      /** Only the first N patches (`VARIANT@N`). */ readonly first?: number;
    }
  | { readonly kind: 'mbox'; readonly path: string; readonly first?: number }
  | {
      readonly kind: 'commits';
      readonly tree: string;
      /** `A..B` */ readonly range: string;
      readonly first?: number;
    };

/** What a variant promises for one test: the outcome, and the verdict of each of its cases. A list means "any of". */
export interface Expectation {
  /** Absent: pass or fail where there are cases or observations. */
  readonly outcome?: readonly Outcome[];
  /** Case name of a probe (`gap=fsync`) -> allowed verdicts (`kept`, `lost`, `refused`, an errno name). */
  readonly cases?: Readonly<Record<string, readonly string[]>>;
  /** Observation of a probe (`syncfs_errors`) -> the number that each case that has it must show. */
  readonly observations?: Readonly<Record<string, number>>;
  /** Why, where the expectation is not obvious: shown by `enokey variants NAME`. */
  readonly reason?: string;
}

/** File system name (or `all`) -> test name -> expectation. The entry of the file system wins over `all`. */
export type Contract = Readonly<Record<string, Readonly<Record<string, Expectation>>>>;

export interface Base {
  /** `v7.3` */
  readonly name: string;
  /** Release that the tree's Makefile must name: `7.3` accepts 7.3, 7.3.4, 7.3.0-rc1 is not it. */
  readonly version: string;
  /** Debian source package that `enokey tree` imports: `linux-source-7.3`. */
  readonly debianPackage?: string;
}

/** A variant with everything resolved: what all later stages work with. */
export interface Variant {
  /** As asked for: `stock`, `soft`, `soft@2`, `soft+instrument`. Safe as a file and branch name. */
  readonly name: string;
  readonly base: Base;
  readonly title: string;
  /** Base series first (where the variant wants it), then its own. Empty for `stock`. */
  readonly series: readonly SeriesSource[];
  /** Kernel config fragments that it needs on top of the common ones: names in vm/kernel/. */
  readonly fragments?: readonly string[];
  /** File system -> `-o` options without the `-o`. */
  readonly mountOptions: Readonly<Record<string, string>>;
  /** Appended to the kernel command line. */
  readonly kernelArgs: readonly string[];
  /** File systems that this variant is measured on when nothing else is asked. */
  readonly filesystems: readonly string[];
  /** Folder name below fstests-overrides/, when the variant has its own versions of tests. */
  readonly overrides?: string;
  readonly contract: Contract;
  /** The YAML file that defines it. */
  readonly definedIn: string;
}

/** Cells that are not to run: a key that is not there matches everything. */
export interface Exclusion {
  readonly variant?: string;
  readonly filesystem?: string;
  /** As in a list of tests: `generic/595`, `open-fd`, `probes`. */
  readonly test?: string;
  readonly reason?: string;
}

/** enokey.yaml and the shipped variants.yaml, checked and merged; all paths absolute. */
export interface Settings {
  /** The enokey.yaml that was read, if there was one. */
  readonly file?: string;
  readonly cache?: string;
  /** Folder that holds `runs/`. */
  readonly state?: string;
  readonly jobs?: number;
  readonly tree?: string;
  readonly fstests?: string;
  readonly iterations?: number;
  readonly filesystems?: readonly string[];
  readonly tests?: readonly string[];
  readonly profile?: 'default' | 'debug';
  /** Cells to leave out. */
  readonly exclude: readonly Exclusion[];
  /** All bases, the user's own included. */
  readonly bases: readonly Base[];
  /** `probe/NAME` -> extra arguments. */
  readonly probeArgs: Readonly<Record<string, readonly string[]>>;
  /** Names of all variants, the user's own included, in the order in which they are written. */
  readonly variantNames: readonly string[];
  /** @throws UserError for an unknown name or an `@N` beyond the series. */
  resolve(name: string): Promise<Variant>;
}
