// SPDX-License-Identifier: GPL-2.0-only

export interface Hunk {
  /** First line of the preimage; 0 for a new file. */
  readonly start: number;
  /** `@@ -12,6 +12,7 @@ static int f(void)` */
  readonly header: string;
}

export interface FileChange {
  /** Path after the patch (before it, when the patch removes the file). */
  readonly path: string;
  readonly hunks: readonly Hunk[];
  /** Lines added and removed. */
  readonly insertions: number;
  readonly deletions: number;
}

export interface PatchMail {
  /** Without `[PATCH n/m]`. */
  readonly subject: string;
  readonly author: string;
  readonly files: readonly FileChange[];
  /** Lines added and removed over all files. */
  readonly insertions: number;
  readonly deletions: number;
}

/** RFC 2047 words; what cannot be read stays as it is. */
function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(/=\?([^?]+)\?([bq])\?([^?]*)\?=/gi, (whole, charset: string, encoding: string, body: string) => {
      const bytes =
        encoding.toLowerCase() === 'b'
          ? Buffer.from(body, 'base64')
          : Buffer.from(
              body
                .replaceAll('_', ' ')
                .replace(/=([0-9a-f]{2})/gi, (_, hex: string) =>
                  String.fromCharCode(Number.parseInt(hex, 16)),
                ),
              'latin1',
            );
      try {
        return new TextDecoder(charset).decode(bytes);
      } catch {
        return whole;
      }
    });
}

/**
 * Reads a patch mail for display and for messages; git am alone decides what it means. Bodies in base64 or quoted
 * printable show no files here.
 */
export function parsePatchMail(mail: string): PatchMail {
  const end = mail.search(/\r?\n\r?\n/);
  const head = (end === -1 ? mail : mail.slice(0, end)).replace(/\r?\n[ \t]+/g, ' ');
  const header = (name: string): string =>
    decodeWords(new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(head)?.[1] ?? '').trim();
  const files: { path: string; hunks: Hunk[]; insertions: number; deletions: number }[] = [];
  // Lines that the current hunk still has, so that a removed "-- x" is not taken for a header.
  let before = 0;
  let after = 0;
  for (const line of mail.slice(Math.max(0, end)).split(/\r?\n/)) {
    const file = files.at(-1);
    if (file && (before > 0 || after > 0)) {
      if (line.startsWith('+')) {
        file.insertions++;
        after--;
        continue;
      }
      if (line.startsWith('-')) {
        file.deletions++;
        before--;
        continue;
      }
      if (line.startsWith('\\')) continue;
      if (line === '' || line.startsWith(' ')) {
        before--;
        after--;
        continue;
      }
      before = 0;
      after = 0;
    }
    const git = /^diff --git "?a\/(.*?)"? "?b\/(.*?)"?$/.exec(line);
    if (git) files.push({ path: git[2] ?? '', hunks: [], insertions: 0, deletions: 0 });
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (!hunk) continue;
    before = Number(hunk[2] ?? 1);
    after = Number(hunk[4] ?? 1);
    files.at(-1)?.hunks.push({ start: Number(hunk[1]), header: line });
  }
  return {
    subject: header('Subject').replace(/^(?:\[[^\]]*\]\s*)+/, ''),
    author: header('From'),
    files,
    insertions: files.reduce((sum, file) => sum + file.insertions, 0),
    deletions: files.reduce((sum, file) => sum + file.deletions, 0),
  };
}
