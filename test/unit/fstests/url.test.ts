// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { restatedFstests } from '../../../src/cli/fstests-flags.js';
import { isUrl } from '../../../src/fstests/url.js';

const URLS = [
  'https://example.org/a/b@v1',
  'git+ssh://example.org/a',
  'file:///srv/xfstests',
  'git@example.org:a/b.git',
  'a+b@example.org:a/b.git',
  'git@[::1]:a/b.git',
];
const PATHS = ['xfstests', 'xfstests@v1', './a@b:c', '/srv/a@b:c', 'a b@c:d', 'a:b@c:d', 'xfstests@', ''];

describe('a place of fstests', () => {
  it('is a repository elsewhere, or a path of this machine', () => {
    expect(URLS.filter((text) => !isUrl(text))).toEqual([]);
    expect(PATHS.filter(isUrl)).toEqual([]);
  });

  it('is made absolute among the flags when it is a path', () => {
    const source = (fstests: string) => restatedFstests({ fstests }, '/src').source;
    expect(URLS.map(source)).toEqual(URLS);
    expect([source('xfstests@v1'), source('./a@b:c')]).toEqual(['/src/xfstests@v1', '/src/a@b:c']);
  });
});
