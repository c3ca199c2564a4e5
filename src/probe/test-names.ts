// SPDX-License-Identifier: GPL-2.0-only

/** Whether a test is meant by a name that a user wrote: itself, `open-fd` for `probe/open-fd`, `probes` for all of them. */
export function isMeant(name: string, test: string): boolean {
  if (name === 'probes' || name === 'probe/*') return test.startsWith('probe/');
  return name === test || `probe/${name}` === test;
}
