// SPDX-License-Identifier: GPL-2.0-only
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { InfraError } from '../../../src/core/errors.js';
import { decidesConfig } from '../../../src/kernel/config-sources.js';
import { diagnose } from '../../../src/kernel/diagnosis.js';
import { buildIdOfNotes, readBuildId } from '../../../src/kernel/elf.js';
import { artifactKey, configKey } from '../../../src/kernel/key.js';
import { builtObject, makeArguments, makeEnvironment } from '../../../src/kernel/make.js';
import { localVersion } from '../../../src/kernel/release.js';
import { tempDir } from '../../helpers/temp.js';

const TREE = '0123456789abcdef0123456789abcdef01234567';

describe('the release', () => {
  it('carries variant and tree', () => {
    expect(localVersion('7.3.4', 'prep-write', TREE)).toBe('-enokey-prep-write-0123456789ab');
    expect(localVersion('7.3.4', 'soft@2', TREE)).toBe('-enokey-soft.2-0123456789ab');
  });

  it('never exceeds what uname has room for, and never loses the tree', () => {
    const version = '7.3.0-rc1';
    const release = version + localVersion(version, 'a'.repeat(100), TREE);
    expect(release).toHaveLength(64);
    expect(release.endsWith('-0123456789ab')).toBe(true);
  });
});

describe('the diagnosis of a build', () => {
  it('is the first error of the compiler, with file and line relative to the tree', () => {
    const log = [
      '  CC      fs/btrfs/inode.o',
      "/build/src/fs/crypto/keyring.c: In function 'f':",
      "\x1b[01m/build/src/fs/crypto/keyring.c:12:5:\x1b[0m warning: unused variable 'x'",
      "\x1b[01m/build/src/fs/crypto/keyring.c:40:9:\x1b[0m \x1b[31merror: \x1b[0m'foo' undeclared (first use in this function)",
      '/build/src/fs/crypto/keyring.c:41:9: error: second',
      'make[3]: *** [scripts/Makefile.build:287: fs/crypto/keyring.o] Error 1',
    ].join('\n');
    expect(diagnose(log, '/build/src')).toEqual({
      kind: 'source',
      message: "'foo' undeclared (first use in this function)",
      file: 'fs/crypto/keyring.c',
      line: 40,
    });
  });

  it.each([
    ['../src/fs/x.c:3:10: fatal error: nothing.h: No such file or directory', 'source', 'fs/x.c'],
    [
      "ld: fs/btrfs/super.o: in function `f': super.c:(.text+0x1): undefined reference to `gone'",
      'source',
      'fs/btrfs/super.o',
    ],
    ['fs/btrfs/Kconfig:7: syntax error', 'source', 'fs/btrfs/Kconfig'],
    ['fs/x.c:1: error: unable to write: No space left on device', 'disk', undefined],
    ['gcc: fatal error: Killed signal terminated program cc1', 'memory', undefined],
    ['fs/btrfs/.inode.o.cmd:1: *** missing separator.  Stop.', 'stale', undefined],
    ['ld: fs/btrfs/built-in.a: file format not recognized', 'stale', undefined],
    ['make: *** [Makefile:248: __sub-make] Error 2', 'unknown', undefined],
    ['', 'unknown', undefined],
  ])('of %j is %s', (line, kind, file) => {
    expect(diagnose(line, '/build/src')).toMatchObject(file ? { kind, file } : { kind });
  });
});

describe('the arguments of make', () => {
  const options = {
    source: '/c/src',
    output: '/c/src/out',
    targets: ['vmlinux'],
    jobs: 3,
    ccache: true,
    localVersion: '-x',
  };

  it('name folders, jobs, compiler and release, and map the folders away', () => {
    expect(makeArguments(options)).toEqual([
      ...['-C', '/c/src', 'O=/c/src/out', '-j3', '--no-print-directory', 'CC=ccache gcc'],
      'KCFLAGS=-g1 -fdebug-prefix-map=/c/src/= -fdebug-prefix-map=../= -fdebug-prefix-map=/c/src/out=.',
      'KAFLAGS=-g1 -fdebug-prefix-map=/c/src/= -fdebug-prefix-map=../= -fdebug-prefix-map=/c/src/out=.',
      ...['LOCALVERSION=-x', 'vmlinux'],
    ]);
    expect(makeArguments({ ...options, ccache: false })).toContain('CC=gcc');
  });

  it('come with an environment that takes the shell out of the build', () => {
    const environment = makeEnvironment();
    expect(environment).toHaveProperty('KCFLAGS', undefined);
    expect(environment).toHaveProperty('MAKEFLAGS', undefined);
    expect(environment['KBUILD_BUILD_VERSION']).toBe('1');
    expect(environment).not.toHaveProperty('PATH');
  });

  it('count objects and nothing else', () => {
    expect(builtObject('  CC      fs/btrfs/inode.o')).toBe('fs/btrfs/inode.o');
    expect(builtObject('  GEN     Makefile')).toBeUndefined();
    expect(builtObject('CC fs/x.o')).toBeUndefined();
  });
});

describe('keys', () => {
  const tools = { compiler: 'gcc 12', linker: 'ld 2.40', ccache: true };
  const key = artifactKey(TREE, 'CONFIG_A=y\n', '7.3.4-x', tools);

  it('differ in tree, configuration, release, compiler and linker, but not in ccache', () => {
    const others = [
      artifactKey(TREE.replace('0', '1'), 'CONFIG_A=y\n', '7.3.4-x', tools),
      artifactKey(TREE, 'CONFIG_B=y\n', '7.3.4-x', tools),
      artifactKey(TREE, 'CONFIG_A=y\n', '7.3.4-y', tools),
      artifactKey(TREE, 'CONFIG_A=y\n', '7.3.4-x', { ...tools, compiler: 'gcc 13' }),
      artifactKey(TREE, 'CONFIG_A=y\n', '7.3.4-x', { ...tools, linker: 'ld 2.41' }),
    ];
    expect(new Set([key, ...others]).size).toBe(6);
    expect(artifactKey(TREE, 'CONFIG_A=y\n', '7.3.4-x', { ...tools, ccache: false })).toBe(key);
  });

  it('of a configuration do not depend on where the fragment lies', () => {
    const request = { symbol: 'CONFIG_A', value: 'y', file: '/a', line: 1 };
    expect(configKey(TREE, [request], tools)).toBe(
      configKey(TREE, [{ ...request, file: '/b', line: 9 }], tools),
    );
    expect(configKey(TREE, [{ ...request, value: 'n' }], tools)).not.toBe(configKey(TREE, [request], tools));
  });
});

describe('a configuration', () => {
  it.each([
    ...[
      'Kconfig',
      'fs/crypto/Kconfig',
      'init/Kconfig.gki',
      'scripts/cc-version.sh',
      'scripts/kconfig/conf.c',
    ],
    ...['Makefile', 'arch/x86/Makefile', 'arch/x86/Makefile_32.cpu', 'kernel/configs/tiny.config'],
    ...['arch/x86/configs/tiny.config', 'arch/s390/tools/gcc-thunk-extern.sh'],
  ])('depends on %s', (file) => expect(decidesConfig(file)).toBe(true));

  it.each([
    ...['fs/crypto/keyring.c', 'fs/btrfs/Makefile', 'tools/testing/kunit/configs/all_tests.config'],
    ...['Documentation/kbuild/kconfig.rst', 'include/linux/kconfig.h'],
  ])('does not depend on %s', (file) => expect(decidesConfig(file)).toBe(false));
});

describe('the build id', () => {
  /** One ELF note: name size, description size, type, name, description, each padded to 4 bytes. */
  function note(type: number, name: string, desc: Buffer): Buffer {
    const pad = (data: Buffer): Buffer => Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
    const head = Buffer.alloc(12);
    const named = Buffer.from(`${name}\0`);
    head.writeUInt32LE(named.length, 0);
    head.writeUInt32LE(desc.length, 4);
    head.writeUInt32LE(type, 8);
    return Buffer.concat([head, pad(named), pad(desc)]);
  }
  const id = Buffer.from('00112233445566778899aabbccddeeff00112233', 'hex');

  it('is found among other notes', () => {
    const notes = Buffer.concat([
      note(18, 'Xen', Buffer.alloc(8)),
      note(3, 'GNU', id),
      note(1, 'Linux', Buffer.alloc(4)),
    ]);
    expect(buildIdOfNotes(notes)).toBe(id.toString('hex'));
  });

  it('is found where only the padding of the last note is missing', () => {
    const short = id.subarray(0, 18);
    expect(buildIdOfNotes(note(3, 'GNU', short).subarray(0, -2))).toBe(short.toString('hex'));
  });

  it('is none in foreign, cut or hostile notes', () => {
    expect(buildIdOfNotes(note(3, 'XXX', id))).toBeUndefined();
    expect(buildIdOfNotes(note(1, 'GNU', id))).toBeUndefined();
    expect(buildIdOfNotes(note(3, 'GNU', id).subarray(0, 20))).toBeUndefined();
    // An id that lacks its last byte is no shorter id.
    expect(buildIdOfNotes(note(3, 'GNU', id).subarray(0, -1))).toBeUndefined();
    expect(buildIdOfNotes(Buffer.alloc(12, 0xff))).toBeUndefined();
    const huge = note(3, 'GNU', id);
    huge.writeUInt32LE(0xfffffff0, 4);
    expect(buildIdOfNotes(huge)).toBeUndefined();
    expect(buildIdOfNotes(Buffer.alloc(0))).toBeUndefined();
  });

  it('is read from a real program, and a file without one is refused', async () => {
    const dir = tempDir('elf');
    const program = path.join(dir, 'program');
    copyFileSync('/bin/true', program);
    expect(await readBuildId(program)).toMatch(/^[0-9a-f]{40}$/);
    const text = path.join(dir, 'text');
    writeFileSync(text, 'no ELF');
    await expect(readBuildId(text)).rejects.toThrow(InfraError);
  });
});
