// SPDX-License-Identifier: GPL-2.0-only

/** One word for a POSIX shell: as it is where that is safe, in single quotes otherwise. Whole lines may be words. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
