// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { describeConflicts, parseConflicts } from '../../../src/series/conflict.js';
import { parsePatchMail } from '../../../src/series/patch.js';

const MAIL = `From 1234567890abcdef Mon Sep 17 00:00:00 2001
From: =?UTF-8?q?Zo=C3=AB?= <zoe@example.invalid>
Date: Mon, 23 Nov 2026 00:16:33 +0000
Subject: [PATCH v2 03/10] fscrypt: a long subject that the mailer
 has folded

Body. @@ -1 +1 @@ is not a hunk here.
---
 a.c | 2 +-

diff --git a/a.c b/a.c
index 1..2 100644
--- a/a.c
+++ b/a.c
@@ -10,3 +10,3 @@ int f(void)
 one
--- not a header
+++ nor this
 three
@@ -50,2 +50,3 @@
 fifty

+new
diff --git a/old name.c b/new name.c
new file mode 100644
--- /dev/null
+++ b/new name.c
@@ -0,0 +1 @@
+x
--${' '}
2.39.5
`;

describe('a patch mail', () => {
  it('gives subject, author, files and counts', () => {
    const mail = parsePatchMail(MAIL);
    expect(mail.subject).toBe('fscrypt: a long subject that the mailer has folded');
    expect(mail.author).toBe('Zoë <zoe@example.invalid>');
    expect(mail.files.map(({ path }) => path)).toEqual(['a.c', 'new name.c']);
    expect(mail.files[0]?.hunks.map(({ start }) => start)).toEqual([10, 50]);
    expect(mail).toMatchObject({ insertions: 3, deletions: 1 });
  });

  it('with CRLF line ends reads the same', () => {
    const mail = parsePatchMail(MAIL.replaceAll('\n', '\r\n'));
    expect(mail).toMatchObject({
      insertions: 3,
      deletions: 1,
      subject: expect.stringContaining('folded') as string,
    });
  });
});

describe('what git says of a conflict', () => {
  it('names the hunk by the line that it begins at', () => {
    const said =
      'error: patch failed: a.c:50\nerror: a.c: patch does not apply\nerror: new name.c: already exists in index\n';
    const conflicts = parseConflicts(said, parsePatchMail(MAIL));
    expect(conflicts).toEqual([
      { file: 'a.c', hunk: { number: 2, of: 2, header: '@@ -50,2 +50,3 @@' }, reason: 'does not match' },
      { file: 'new name.c', reason: 'is in the tree already' },
    ]);
    expect(describeConflicts(conflicts)).toBe(
      'does not apply: a.c, hunk 2 of 2 (@@ -50,2 +50,3 @@) does not match; nor new name.c',
    );
  });

  it('knows a file that is not in the tree', () => {
    const conflicts = parseConflicts('error: a.c: does not exist in index\n', parsePatchMail(MAIL));
    expect(describeConflicts(conflicts)).toBe('does not apply: a.c is not in the tree');
  });
});
