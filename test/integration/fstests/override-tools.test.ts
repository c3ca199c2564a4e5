// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { REPOSITORY_ROOT } from '../../helpers/repository.js';
import { tempDir } from '../../helpers/temp.js';
import { until } from '../../helpers/until.js';

const COMMON = path.join(REPOSITORY_ROOT, 'fstests-overrides/common');
const SUPER = 65536;
const ENCRYPT = 0x8000n;

/** CRC-32C, bit by bit: slow and independent of the program under test. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** The outline of a btrfs: a superblock with the encrypt bit, one chunk's worth of space. */
function makeDevice(file: string, incompat: bigint): void {
  const disk = Buffer.alloc(2 * 1024 * 1024);
  const block = disk.subarray(SUPER, SUPER + 4096);
  block.write('_BHRfS_M', 64, 'latin1');
  block.writeBigUInt64LE(incompat, 188);
  block.writeBigUInt64LE(1n, 201);
  block.writeUInt32LE(crc32c(block.subarray(32)), 0);
  writeFileSync(file, disk);
}

function superOf(file: string): { incompat: bigint; sumIsRight: boolean } {
  const block = readFileSync(file).subarray(SUPER, SUPER + 4096);
  return {
    incompat: block.readBigUInt64LE(188),
    sumIsRight: block.readUInt32LE(0) === crc32c(block.subarray(32)),
  };
}

function script(file: string, text: string): string {
  writeFileSync(file, `#!/bin/sh\n${text}`);
  chmodSync(file, 0o755);
  return file;
}

describe('btrfs(8) for encrypted file systems', () => {
  let dir: string;
  let device: string;
  const tool = path.join(COMMON, 'btrfs-util.pl');

  beforeEach(() => {
    dir = tempDir();
    device = path.join(dir, 'disk');
    makeDevice(device, 0x341n | ENCRYPT);
  });

  it('hides the bit while check runs, keeps its exit status, and leaves every byte as it was', () => {
    const before = readFileSync(device);
    const real = script(path.join(dir, 'btrfs'), `cp "$3" "${dir}/seen"; exit 3\n`);
    const ended = spawnSync(tool, ['check', '--readonly', device], {
      env: { ...process.env, BTRFS_REAL: real },
    });
    expect(ended.status).toBe(3);
    expect(superOf(path.join(dir, 'seen'))).toEqual({ incompat: 0x341n, sumIsRight: true });
    expect(readFileSync(device).equals(before)).toBe(true);
  });

  it('puts the bit back when it is told to stop', async () => {
    const real = script(path.join(dir, 'btrfs'), `touch "${dir}/began"; exec sleep 100\n`);
    const child = spawn(tool, ['inspect-internal', 'dump-tree', device], {
      env: { ...process.env, BTRFS_REAL: real },
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await until(() => existsSync(path.join(dir, 'began')) || undefined);
    expect(superOf(device).incompat & ENCRYPT).toBe(0n);
    child.kill('SIGTERM');
    expect(await ended).toBe(128 + 15);
    expect(superOf(device)).toEqual({ incompat: 0x341n | ENCRYPT, sumIsRight: true });
  });

  it('touches nothing without the bit, and nothing for other commands', () => {
    const real = script(path.join(dir, 'btrfs'), `cp "${device}" "${dir}/seen"\n`);
    const env = { ...process.env, BTRFS_REAL: real };
    execFileSync(tool, ['filesystem', 'show', device], { env });
    expect(superOf(path.join(dir, 'seen')).incompat & ENCRYPT).toBe(ENCRYPT);
    makeDevice(device, 0x341n);
    execFileSync(tool, ['check', device], { env });
    expect(superOf(device)).toEqual({ incompat: 0x341n, sumIsRight: true });
  });

  it('reads an item and sectors through the chunk that holds them', () => {
    const disk = readFileSync(device);
    // Leaf at logical 1048576, chunk maps it to 524288; item data behind the 101 bytes of the header.
    Buffer.from('c0ffee', 'hex').copy(disk, 524288 + 101 + 3000);
    disk.fill(0x5a, 524288 + 4096, 524288 + 4096 + 512);
    writeFileSync(device, disk);
    mkdirSync(path.join(dir, 'bin'));
    script(
      path.join(dir, 'bin', 'btrfs'),
      `case "$4" in
chunk) printf '\\titem 0 key (FIRST_CHUNK_TREE CHUNK_ITEM 1048576) itemoff 1 itemsize 80\\n\\t\\tlength 65536 owner 2 stripe_len 65536 type DATA|single\\n\\t\\tnum_stripes 1 sub_stripes 1\\n\\t\\t\\tstripe 0 devid 1 offset 524288\\n' ;;
*) printf 'leaf 1048576 items 2 free space 1 generation 7 owner FS_TREE\\n\\titem 0 key (257 INODE_ITEM 0) itemoff 100 itemsize 160\\n\\titem 1 key (257 FSCRYPT_INODE_CTX 0) itemoff 3000 itemsize 3\\n' ;;
esac
`,
    );
    const env = { ...process.env, PATH: `${path.join(dir, 'bin')}:${process.env['PATH']}`, TMPDIR: dir };
    const raw = (...args: string[]): Buffer => execFileSync(path.join(COMMON, 'btrfs-raw.pl'), args, { env });
    expect(raw('item', device, '257', '41').toString()).toBe('c0ffee\n');
    expect(raw('item', device, '257', '42').toString()).toBe('');
    expect(raw('item', device, '257', '41', '0').toString()).toBe('c0ffee\n');
    expect(raw('sectors', device, String((1048576 + 4096) / 512)).equals(Buffer.alloc(512, 0x5a))).toBe(true);
    expect(() => raw('sectors', device, '1')).toThrow(/no chunk holds/);
  });
});

describe('overrides of shell functions', () => {
  /** Runs `call` in a bash that has read `upstream` and then the overrides, as a test of fstests would. */
  function bash(
    filesystem: string,
    call: string,
    without: readonly string[] = [],
  ): { out: string; status: number | null } {
    const names = [
      ...readFileSync(path.join(COMMON, 'encrypt.sh'), 'utf8').matchAll(/^\s*_enokey_keep (\w+)$/gm),
    ].map((match) => match[1] ?? '');
    const upstream = names
      .filter((name) => !without.includes(name) && !/_(?:file|data)_nonce$/.test(name))
      .map((name) => `${name}() { echo "upstream ${name} $*"; }`)
      .join('\n');
    const dir = tempDir();
    mkdirSync(path.join(dir, 'enokey'));
    execFileSync('cp', ['-R', COMMON, path.join(dir, 'enokey', 'common')]);
    const text = `
FSTYP=${filesystem}; here='${dir}'; seqres='${dir}/seq'
_notrun() { echo "notrun: $*"; exit 0; }
_fatal() { echo "fatal: $*"; exit 1; }
_scratch_mkfs() { echo "mkfs $*"; }
_scratch_mkfs_sized() { echo "mkfs sized $*"; }
${upstream}
. "$here/enokey/common/encrypt.sh"
${call}
`;
    const ended = spawnSync('bash', ['-c', text], { encoding: 'utf8' });
    return { out: ended.stdout.trim() + ended.stderr.trim(), status: ended.status };
  }

  it('leave other file systems alone', () => {
    expect(bash('ext4', '_scratch_mkfs_encrypted a b').out).toBe('upstream _scratch_mkfs_encrypted a b');
    expect(bash('ext4', '_require_scratch_encryption').out).toBe('upstream _require_scratch_encryption');
  });

  it('make an encrypted btrfs by a plain mkfs', () => {
    expect(bash('btrfs', '_scratch_mkfs_encrypted -x').out).toBe('mkfs -x');
    expect(bash('btrfs', '_scratch_mkfs_sized_encrypted 1 2').out).toBe('mkfs sized 1 2');
  });

  it.each([
    ['_require_scratch_encryption', true],
    ['_require_scratch_encryption -c 1 -n 4 -f 0', true],
    ['_require_scratch_encryption -v 1', true],
    ['_require_scratch_encryption -v 2', false],
    ['_require_scratch_encryption -c 1 -n 4 -v 2 -f 0', false],
    ['_set_encpolicy /d 0000111122223333', true],
    ['_set_encpolicy /d 69b2f6edeee720cce0577937eb8a6751', false],
    ['_set_encpolicy /d', false],
    ['_user_do_set_encpolicy /d 0000111122223333', true],
  ])('on btrfs call %s v1: %s', (call, v1) => {
    const { out } = bash('btrfs', call);
    if (v1) expect(out).toMatch(/notrun: btrfs takes v2 encryption policies only/);
    else expect(out).toBe(`upstream ${call}`);
  });

  it('do not pass silently when a function is gone', () => {
    const { out, status } = bash('btrfs', 'echo went on', ['_dump_ciphertext_blocks']);
    expect(out).toMatch(/^fatal: enokey: common\/encrypt has no _dump_ciphertext_blocks/);
    expect(status).toBe(1);
  });
});

describe('nonces of encrypted btrfs files', () => {
  // fscrypt contexts as dump-tree shows them: version, modes, flags, key identifier, nonce.
  const INODE_CONTEXT = `0201040200000000${'a1'.repeat(16)}68489809daca2a844cae2c18292806cf`;
  const EXTENT_CONTEXT = `0101${'a1'.repeat(16)}327bf5573042cc1bbda5bdfb00479095`;

  /** The shell function that a test of fstests calls, with items that are given instead of read from a device. */
  function nonceOf(call: string, upstream: readonly string[]): string {
    const functions = [
      ...[
        '_scratch_mkfs_encrypted',
        '_scratch_mkfs_sized_encrypted',
        '_scratch_mkfs_stable_inodes_encrypted',
        '_require_scratch_encryption',
        '_set_encpolicy',
        '_user_do_set_encpolicy',
        '_require_get_encryption_nonce_support',
        '_get_ciphertext_filename',
        '_require_get_ciphertext_filename_support',
        '_dump_ciphertext_blocks',
        '_do_verify_ciphertext_for_encryption_policy',
      ],
      ...upstream,
    ];
    const text = `
      FSTYP=btrfs
      ${functions.map((name) => `${name}() { :; }`).join('\n')}
      . '${path.join(COMMON, 'encrypt.sh')}'
      _enokey_item() {
        case "$3" in
        41) echo ${INODE_CONTEXT} ;;
        42) [ "$2" = 258 ] && echo ${EXTENT_CONTEXT} ;;
        esac
      }
      nonce=$(${call})
      echo "[$nonce]"
    `;
    return execFileSync('bash', ['-c', text], { encoding: 'utf8' }).trim();
  }

  it('are all 16 bytes of the extent, or of the inode where there is no data', () => {
    const newer = ['_get_encryption_nonce'];
    expect(nonceOf('_get_encryption_nonce /dev/x 258', newer)).toBe(`[${EXTENT_CONTEXT.slice(-32)}]`);
    expect(nonceOf('_get_encryption_nonce /dev/x 257', newer)).toBe(`[${INODE_CONTEXT.slice(-32)}]`);
  });

  it('are told apart where a tree asks for them apart', () => {
    const older = ['_get_encryption_file_nonce', '_get_encryption_data_nonce'];
    expect(nonceOf('_get_encryption_data_nonce /dev/x 258', older)).toBe(`[${EXTENT_CONTEXT.slice(-32)}]`);
    expect(nonceOf('_get_encryption_file_nonce /dev/x 258', older)).toBe(`[${INODE_CONTEXT.slice(-32)}]`);
  });
});
