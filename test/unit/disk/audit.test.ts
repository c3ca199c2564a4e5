// SPDX-License-Identifier: GPL-2.0-only
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { audit, UnitLedger } from '../../e2e/support/disk/audit.js';
import { FileTree } from '../../e2e/support/disk/file-tree.js';
import { countMarkers } from '../../e2e/support/disk/markers.js';
import * as image from '../../helpers/btrfs-image.js';
import { tempDir } from '../../helpers/temp.js';

const { sector } = image.PLACES;
const ENCRYPT = 1 << 12;
const nonce = (fill: number): Buffer => Buffer.alloc(16, fill);
const plain = (sectors: number, fill = 0): Buffer =>
  Buffer.from(Array.from({ length: sectors * sector }, (_, at) => (at + (at >> 12) * 7 + fill) & 0xff));

/** A file of 4 sectors: a part of a data extent of 3, and one of 2; the data is what the kernel would write. */
function fixture(): { files: image.FixtureItem[]; data: Buffer } {
  return {
    files: [
      [257, 1, 0, image.inodeItem(4 * sector - 100, ENCRYPT)],
      [257, 41, 0, image.inodeContext(nonce(9))],
      [257, 42, 0, image.extentContext(nonce(1))],
      [257, 42, 2 * sector, image.extentContext(nonce(2))],
      [257, 108, 0, image.fileExtent(0, 3, { offset: sector, bytes: 2 * sector })],
      [257, 108, 2 * sector, image.fileExtent(3, 2)],
    ],
    data: Buffer.concat([image.encrypt(nonce(1), 0, plain(3)), image.encrypt(nonce(2), 0, plain(2, 99))]),
  };
}
const problems = (files: image.FixtureItem[], data: Buffer): string =>
  audit(image.openImage(image.buildImage({ files, data }))).problems.join('\n');

describe('the reader of a raw btrfs', () => {
  it('decrypts a file from its extents and contexts', () => {
    const tree = FileTree.of(image.openImage(image.buildImage(fixture())));
    const bytes = Buffer.concat([plain(3).subarray(sector), plain(2, 99)]);
    expect(tree.content(257, image.MASTER_KEY).equals(bytes.subarray(0, 4 * sector - 100))).toBe(true);
    expect(tree.content(257, Buffer.alloc(64)).equals(bytes.subarray(0, 4 * sector - 100))).toBe(false);
  });

  it('refuses blocks that were changed, and copies that differ', () => {
    const whole = image.buildImage(fixture());
    const { super: at, chunk, root, files, csums, copy } = image.PLACES;
    const read = (bytes: Buffer) => () => audit(image.openImage(bytes));
    expect(read(whole)().problems).toEqual([]);
    expect(read(image.tamper(whole, at + 72))).toThrow(/checksum of the superblock/);
    expect(read(image.tamper(whole, chunk + 200))).toThrow(/copies of .* differ/);
    expect(read(image.tamper(image.tamper(whole, chunk + 200), copy + 200))).toThrow(/wrong checksum/);
    for (const block of [root, files, csums])
      expect(read(image.tamper(whole, block + 16000))).toThrow(/wrong checksum/);
    expect(read(whole.subarray(0, 100_000))).toThrow();
  });
});

describe('the audit', () => {
  it('finds nothing on a disk that follows the rules, and counts', () => {
    const found = audit(image.openImage(image.buildImage(fixture())));
    expect(found).toMatchObject({ problems: [], items: 2, leftovers: 0, nonces: 2 });
    expect([...found.units.keys()].map((name) => name.split(':').slice(1).join(':').slice(30))).toEqual([
      '01:1',
      '01:2',
      '02:0',
      '02:1',
    ]);
  });

  it('lets clones share a context, and counts contexts that nothing uses', () => {
    const { files, data } = fixture();
    const shared: image.FixtureItem[] = [
      ...files,
      [258, 1, 0, image.inodeItem(3 * sector, ENCRYPT)],
      [258, 41, 0, image.inodeContext(nonce(8))],
      [258, 42, 0, image.extentContext(nonce(1))],
      [258, 42, 9 * sector, image.extentContext(nonce(5))],
      [258, 108, 0, image.fileExtent(0, 3)],
    ];
    const found = audit(image.openImage(image.buildImage({ files: shared, data })));
    expect(found).toMatchObject({ problems: [], items: 3, leftovers: 1, nonces: 2 });
  });

  it('reports an extent without a context, and one that names another key', () => {
    const { files, data } = fixture();
    expect(problems(files.toSpliced(3, 1), data)).toMatch(/inode 257, offset 8192: no context/);
    const other = files.with(2, [257, 42, 0, image.extentContext(nonce(1), nonce(0))]);
    expect(problems(other, data)).toMatch(/another master key/);
  });

  it('reports a nonce at two places, and a data extent with two nonces', () => {
    const { files, data } = fixture();
    const reused = files.with(3, [257, 42, 2 * sector, image.extentContext(nonce(1))]);
    expect(problems(reused, data)).toMatch(/its nonce is that of the extent at/);
    expect(problems(reused, data)).toMatch(/unit .*01:1 is at two places/);
    const two = files.with(5, [257, 108, 2 * sector, image.fileExtent(0, 3, { bytes: 2 * sector })]).slice();
    expect(problems(two, data)).toMatch(/its data extent has the nonce/);
    expect(problems(two, data)).toMatch(/the block at \d+ is also unit/);
  });

  it('reports two units with one ciphertext: the same key, index and plaintext', () => {
    const { files, data } = fixture();
    const twice = Buffer.from(data);
    twice.copy(twice, 3 * sector, sector, 2 * sector);
    expect(problems(files, twice)).toMatch(/has the same ciphertext as/);
  });

  it('reports data of an encrypted file that is not encrypted, and unknown encryption', () => {
    const { files, data } = fixture();
    const bare = files.with(5, [257, 108, 2 * sector, image.fileExtent(3, 2, { encryption: 0 })]);
    expect(problems(bare, data)).toMatch(/data that is not encrypted/);
    const odd = files.with(5, [257, 108, 2 * sector, image.fileExtent(3, 2, { encryption: 2 })]);
    expect(problems(odd, data)).toMatch(/encryption 2/);
    const unflagged = files.with(0, [257, 1, 0, image.inodeItem(4 * sector, 0)]);
    expect(problems(unflagged, data)).toMatch(/has a context, not the flag/);
  });

  it('reports ciphertext that its checksum does not match, and a checksum that is missing', () => {
    const whole = image.buildImage(fixture());
    const changed = image.tamper(whole, image.PLACES.data + 4 * sector);
    expect(audit(image.openImage(changed)).problems).toEqual([
      expect.stringMatching(/offset 8192: the checksum of sector \d+/),
    ]);
    const bare = image.buildImage({ ...fixture(), withoutSums: [1] });
    expect(audit(image.openImage(bare)).problems).toHaveLength(1);
  });
});

describe('the ledger', () => {
  it('takes the same units again, moved or not, and reports those that changed', () => {
    const ledger = new UnitLedger();
    const look = (data: Buffer) =>
      ledger.add(audit(image.openImage(image.buildImage({ ...fixture(), data }))).units);
    const { data } = fixture();
    expect(look(data)).toEqual([]);
    expect(look(data)).toEqual([]);
    // The tail of the second extent is written again in place, as a kernel without copy on write would.
    const again = Buffer.from(data);
    image.encrypt(nonce(2), 1, plain(1, 5)).copy(again, 4 * sector);
    expect(look(again)).toEqual([expect.stringMatching(/02:1 has encrypted two plaintexts/)]);
    expect(ledger.size).toBe(4);
  });
});

describe('the search for markers', () => {
  it('counts each one, also where two pieces of the disk meet', () => {
    const file = path.join(tempDir('disk'), 'disk.img');
    const bytes = Buffer.alloc(9 * 1024 * 1024);
    const [one, two] = ['marker-of-contents', 'a-name'].map((text) => Buffer.from(text));
    if (!one || !two) throw new Error('no markers');
    for (const at of [0, 4 * 1024 * 1024 - 5, 8 * 1024 * 1024 - 17, bytes.length - one.length])
      one.copy(bytes, at);
    two.copy(bytes, 5_000_000);
    writeFileSync(file, bytes);
    expect(countMarkers(file, [one, two, Buffer.from('nowhere')])).toEqual([4, 1, 0]);
  });
});
