// SPDX-License-Identifier: GPL-2.0-only
import type { Contract, Expectation, Variant } from '../config/types.js';
import { expectationFor } from './standing.js';
import type { RunPlan, VariantRecord } from './types.js';

/** What a variant is to the cells of a plan; what only other cells would see is left out. */
export function recordVariant(plan: RunPlan, variant: Variant): VariantRecord {
  const mountOptions: Record<string, string> = {};
  const contract: Record<string, Record<string, Expectation>> = {};
  for (const { filesystem, test } of plan.cells.filter((cell) => cell.variant === variant.name)) {
    const options = variant.mountOptions[filesystem];
    if (options !== undefined) mountOptions[filesystem] = options;
    const expectation = expectationFor(variant.contract, filesystem, test);
    if (expectation) (contract[filesystem] ??= {})[test] = expectation;
  }
  return { name: variant.name, mountOptions, kernelArgs: variant.kernelArgs, contract };
}

/** A contract's promises one by one: `ext4 probe/open-fd gap=none` -> `kept`. Reasons promise nothing. */
function promises(contract: Contract): Map<string, string> {
  const all = new Map<string, string>();
  const alternatives = (words: readonly string[]): string => [...words].sort().join(' or ');
  for (const [filesystem, tests] of Object.entries(contract)) {
    for (const [test, { outcome, cases = {}, observations = {} }] of Object.entries(tests)) {
      const at = `${filesystem} ${test}`;
      // An entry is a promise by being there: without one a cell has no contract to stand by.
      all.set(`${at} outcome`, outcome ? alternatives(outcome) : 'left open');
      for (const [name, verdicts] of Object.entries(cases)) all.set(`${at} ${name}`, alternatives(verdicts));
      for (const [name, number] of Object.entries(observations)) all.set(`${at} ${name}`, String(number));
    }
  }
  return all;
}

/** Everything about variants that a result depends on, in words -> its value. */
function facts(records: readonly VariantRecord[]): Map<string, string> {
  const all = new Map<string, string>();
  for (const { name, mountOptions, kernelArgs, contract } of records) {
    for (const [filesystem, options] of Object.entries(mountOptions))
      all.set(`mount -o of ${name} on ${filesystem}`, options);
    all.set(`what ${name} adds to the kernel command line`, kernelArgs.join(' '));
    for (const [what, value] of promises(contract)) all.set(`the contract of ${name}: ${what}`, value);
  }
  return all;
}

/** What differs between variants as they were and as they are now, in words: `WHAT was X, is now Y`. */
export function variantDifferences(then: readonly VariantRecord[], now: readonly VariantRecord[]): string[] {
  const [before, after] = [facts(then), facts(now)];
  const value = (all: Map<string, string>, what: string): string => all.get(what) || 'nothing';
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((what) => value(before, what) !== value(after, what))
    .map((what) => `${what} was ${value(before, what)}, is now ${value(after, what)}`);
}
