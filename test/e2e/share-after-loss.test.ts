// SPDX-License-Identifier: GPL-2.0-only
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { addKey, bootWithEncryptedDir, MOUNT, must, setPolicy } from './support/encrypted-disk.js';
import { shell } from './support/guest.js';
import { SOURCES } from './support/planned-files.js';

const DIR = `${MOUNT}/dir`;
const SIZE = 65536;

/** The command that counts the bytes of a file that are `a`. */
const countA = (file: string): string => `tr -cd a < ${file} | wc -c`;

describe('a file that has lost what was written to it', () => {
  it('shares what it has on disk with others, and so takes nothing from them', async () => {
    const { guest, sources, device, identifier } = await bootWithEncryptedDir({
      name: 'share',
      sizeBytes: 1024 ** 3,
    });
    await must(guest, `head -c ${SIZE} /dev/zero | tr '\\0' a | tee ${DIR}/dst > /dev/null && sync`);

    // The holder keeps the inode, and with it the page cache, over the removal. Its fsync takes the error.
    const holder = `
      open F, "+>", "${DIR}/src" or die; syswrite(F, "a" x ${SIZE}) == ${SIZE} or die;
      system(q(xfs_io -c "rm_enckey ${identifier}" ${MOUNT} > /dev/null)) == 0 or die;
      print F->sync ? "synced\\n" : "fsync: $!\\n";
      system(q(${addKey(MOUNT)} > /dev/null)) == 0 or die;
      print "cached ", \`${countA(`${DIR}/src`)}\`;
      system(q(xfs_io -c "dedupe ${DIR}/src 0 0 ${SIZE}" ${DIR}/dst 2>&1)) for 1..3;
      system(q(cp --reflink=always ${DIR}/src ${DIR}/clone 2>&1));
      print "source ", \`${countA(`${DIR}/src`)}\`, "clone ", \`${countA(`${DIR}/clone`)}\`;`;
    writeFileSync(path.join(sources, 'holder.pl'), `use IO::Handle; $| = 1;\n${holder}\n`);
    await guest.push(sources, path.dirname(SOURCES));
    const held = await shell(guest, `perl ${SOURCES}/holder.pl`, 60_000);
    const said = held.exec?.stdout ?? '';
    // The kernel's log says that data was lost.
    expect(held, said + held.reports.join('\n')).toMatchObject({ marks: ['btrfs'], exec: { exitCode: 0 } });
    await must(guest, `sync && umount ${MOUNT} && mount ${device} ${MOUNT} && ${addKey(MOUNT)}`, 30_000);
    const kept = Number(await must(guest, countA(`${DIR}/dst`)));
    process.stderr.write(
      `share after a loss: ${said.trim().replaceAll('\n', '; ')}; ${kept} of ${SIZE} kept\n`,
    );
    // Otherwise this has not tested what it says.
    expect(said).toMatch(/fsync: (Required key not available|Input\/output error)/);
    expect(said).toContain(`cached ${SIZE}\n`);
    expect(kept).toBe(SIZE);
    expect(said).toContain('source 0\nclone 0\n');

    const refused = await must(
      guest,
      `umount ${MOUNT} && mkfs.btrfs -q -f -O ^no-holes ${device} && mount ${device} ${MOUNT} && ${addKey(MOUNT)} > /dev/null &&
      mkdir ${DIR} && { ${setPolicy(identifier, DIR)} 2>&1 && echo set; true; }`,
      60_000,
    );
    expect(refused).toMatch(/Operation not supported/);
    await must(guest, `umount ${MOUNT}`, 30_000);
  });
});
