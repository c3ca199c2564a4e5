// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { declaredGroups, hasTest, parseGroupFile, testsOfGroup } from '../../../src/fstests/groups.js';
import { tempDir } from '../../helpers/temp.js';

describe('groups of an fstests tree', () => {
  let tree: string;
  const add = (name: string, text: string) => writeFile(path.join(tree, 'tests', name), text);

  beforeEach(async () => {
    tree = tempDir('groups');
    await mkdir(path.join(tree, 'tests/generic'), { recursive: true });
    await mkdir(path.join(tree, 'tests/ext4'), { recursive: true });
    await add('generic/001', '#! /bin/bash\n. ./common/preamble\n_begin_fstest auto quick\n');
    await add('generic/595', '#! /bin/bash\n_begin_fstest auto quick encrypt\n');
    await add('generic/595.out', 'QA output created by 595\n');
    await add('generic/621', '_begin_fstest auto \\\n\tencrypt # really\n');
    await add('ext4/024', '_begin_fstest auto encrypt dangerous\n');
  });

  it('finds the tests of generic and of the file system', async () => {
    expect((await testsOfGroup(tree, 'encrypt', 'ext4')).map((test) => test.id)).toEqual([
      'generic/595',
      'generic/621',
      'ext4/024',
    ]);
    expect((await testsOfGroup(tree, 'encrypt', 'btrfs')).map((test) => test.id)).toEqual([
      'generic/595',
      'generic/621',
    ]);
    expect((await testsOfGroup(tree, 'encrypt')).map((test) => test.id)).toEqual([
      'generic/595',
      'generic/621',
    ]);
  });

  it('looks in one folder for FOLDER/GROUP, and takes all for every test', async () => {
    expect((await testsOfGroup(tree, 'ext4/encrypt', 'f2fs')).map((test) => test.id)).toEqual(['ext4/024']);
    expect(await testsOfGroup(tree, 'all', 'ext4')).toHaveLength(4);
  });

  it('names the groups that there are when one is not', async () => {
    await expect(testsOfGroup(tree, 'encrpyt', 'ext4')).rejects.toThrow(
      /encrpyt.*auto dangerous encrypt quick/,
    );
  });

  it('reads the group files of older trees', async () => {
    await add('generic/395', '#! /bin/bash\nseq=`basename $0`\n');
    await add('generic/group', '# comment\n395 auto quick encrypt # old\n001 auto\n');
    expect((await testsOfGroup(tree, 'encrypt')).map((test) => test.id)).toContain('generic/395');
    expect(parseGroupFile('595 auto  encrypt\nother auto\n').get('595')).toEqual(['auto', 'encrypt']);
  });

  it('does not follow links out of the tree', async () => {
    await symlink('/etc/passwd', path.join(tree, 'tests/generic/777'));
    expect(await hasTest(tree, 'generic/777')).toBe(false);
    expect(await hasTest(tree, 'generic/595')).toBe(true);
    expect(await hasTest(tree, '../etc/595')).toBe(false);
  });

  it('takes no group for a test that declares none', () => {
    expect(declaredGroups('echo _begin_fstest nonsense\n')).toBeUndefined();
    expect(declaredGroups('_begin_fstest auto $(evil) quick\n')).toEqual(['auto', 'quick']);
  });
});
