// SPDX-License-Identifier: GPL-2.0-only

/**
 * True for `https://...` and `git@host:path`, false for a path of this machine, also one like `./a@b:c`: what ssh is
 * meant by has no slash before its colon (git-fetch(1), "GIT URLS").
 */
export function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^[^/\s:@]+@[^/\s:]+:/.test(text);
}
