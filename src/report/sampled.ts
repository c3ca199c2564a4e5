// SPDX-License-Identifier: GPL-2.0-only

/**
 * Tests that ask one and the same thing again and again. Only of these the acknowledged writes are a sample, and a
 * share of them with an interval means something. The others ask several things, each as often as the next, and a
 * variant answers each always in the same way: "12 of 15 lost" is then four cases of five, which the cases tell.
 */
const SAMPLED = ['probe/race-append', 'probe/race-held', 'probe/parked', 'generic/595'];

/** True for a test whose lost writes have a rate, also for its port and its overrides: `generic/595 [hard]`. */
export function isSampled(test: string): boolean {
  return SAMPLED.includes(test.replace(/ (?:\(port\)|\[[^\]]*\])$/, ''));
}
