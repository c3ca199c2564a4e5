// SPDX-License-Identifier: GPL-2.0-only

/** `uname -r` has room for this many bytes: __NEW_UTS_LEN in include/uapi/linux/utsname.h. */
const RELEASE_LIMIT = 64;
const TREE_DIGITS = 12;

/**
 * What is appended to the kernel's version: `-enokey-VARIANT-TREE12`. A name that would make the release longer
 * than the kernel allows is cut; the tree id never is, since it is what tells one build from another. `@` of
 * `VARIANT@N` becomes a dot.
 */
export function localVersion(kernelVersion: string, variant: string, treeId: string): string {
  const name = variant.replace(/[^A-Za-z0-9._-]/g, '.');
  const tree = treeId.slice(0, TREE_DIGITS);
  const room = RELEASE_LIMIT - kernelVersion.length - '-enokey--'.length - tree.length;
  return `-enokey-${name.slice(0, Math.max(1, room))}-${tree}`;
}
