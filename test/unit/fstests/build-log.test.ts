// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { explainBuildLog } from '../../../src/fstests/build-log.js';

describe('why a build of fstests failed', () => {
  it.each([
    [
      'In file included from x.c:1:\nx.c:5:10: fatal error: xfs/xfs.h: No such file or directory\ncompilation terminated.\nmake: *** [x] Error 1\n',
      'the header xfs/xfs.h is missing',
    ],
    [
      'checking for xfs/xfs.h... no\n\nFATAL ERROR: cannot find a valid <xfs/xfs.h> header file.\nRun "make install-dev"\n',
      'the header xfs/xfs.h is missing',
    ],
    ['/usr/bin/ld: cannot find -luuid: No such file or directory\n', 'the library uuid is missing'],
    ['/bin/sh: 1: autoconf: not found\nmake: *** [configure] Error 127\n', 'the tool autoconf is missing'],
    ['/bin/bash: line 1: libtoolize: command not found\n', 'the tool libtoolize is missing'],
    ['make[1]: m4: No such file or directory\n', 'the tool m4 is missing'],
    ['build.sh: mmdebstrap is missing\n', 'the tool mmdebstrap is missing on this host'],
    ['E: Unable to locate package xfslibs-dev\n', 'the archive has no package xfslibs-dev'],
    [
      'configure: error: C compiler cannot create executables\n',
      'configure: C compiler cannot create executables',
    ],
    [
      'foo.c: In function main:\nfoo.c:7:2: error: expected ; before }\nmake: *** [all] Error 2\n',
      'foo.c:7:2: error: expected ; before }',
    ],
    ['make[2]: *** [Makefile:7: all] Error 2\n', 'make[2]: *** [Makefile:7: all] Error 2'],
    [
      'cc: fatal error: Killed signal terminated program cc1\nwrite: No space left on device\n',
      'no space left in memory (tmpfs) or on the disk',
    ],
    ['something\nlast words\n', 'ended with: last words'],
    ['', 'ended without a word'],
  ])('finds it in %j', (log, observed) => {
    expect(explainBuildLog(log).observed).toBe(observed);
  });

  it('prefers what is missing over what failed because of it, and strips escapes', () => {
    const log =
      '\u001b[31mmake: *** [a] Error 1\u001b[0m\nb.c:1:10: \u001b[01;31mfatal error: \u001b[0mlibaio.h: No such file or directory\n';
    expect(explainBuildLog(log)).toMatchObject({
      observed: 'the header libaio.h is missing',
      next: expect.stringContaining('packages.txt') as string,
    });
  });
});
