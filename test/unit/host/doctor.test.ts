// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { TIME_SCALE } from '../../../src/host/accelerator.js';
import { DISK_NEEDED, packageCommand } from '../../../src/host/doctor.js';
import { probeArgs } from '../../../src/host/probe.js';
import { payloadElf } from '../../../src/host/payload.js';
import { REPOSITORY_ROOT } from '../../helpers/repository.js';

const read = (file: string): string => readFileSync(path.join(REPOSITORY_ROOT, file), 'utf8');

describe('a figure of the host', () => {
  it('is in the documents what it is in the code', () => {
    expect(/([\d.]+) GiB of disk/.exec(read('README.md'))?.[1]).toBe(String(DISK_NEEDED / 1024 ** 3));
    const scale = /scale \((\d+) under TCG\)/.exec(read('fstests-overrides/limits.yaml'))?.[1];
    expect(scale).toBe(String(TIME_SCALE.tcg));
  });
});

describe('packageCommand', () => {
  it('is one command with every package once, on Debian and its children', () => {
    expect(packageCommand(['b', 'a', 'b'], 'ID=debian\n', true)).toBe('apt-get install -y a b');
    expect(packageCommand(['a'], 'NAME="X"\nID=mint\nID_LIKE="ubuntu debian"\n', false)).toBe(
      'sudo apt-get install -y a',
    );
  });
  it('is nothing elsewhere, and nothing when nothing is missing', () => {
    expect(packageCommand(['a'], 'ID=fedora\n', true)).toBeUndefined();
    expect(packageCommand([], 'ID=debian\n', true)).toBeUndefined();
  });
});

describe('the payload', () => {
  it('is an ELF64 with the PVH entry note, loaded at 1 MiB', () => {
    const elf = payloadElf();
    expect(elf.subarray(0, 5).toString('latin1')).toBe('\x7fELF\x02');
    const note = 64 + 2 * 56;
    expect([elf.readUInt32LE(note + 8), elf.toString('latin1', note + 12, note + 15)]).toEqual([18, 'Xen']);
    expect(elf.readBigUInt64LE(note + 16)).toBe(0x100000n);
  });
  it('is booted with the CPU that guests get', () => {
    expect(probeArgs('kvm', '/p')).toEqual(expect.arrayContaining(['-accel', 'kvm', '-cpu', 'host']));
    expect(probeArgs('tcg', '/p')).toEqual(expect.arrayContaining(['-accel', 'tcg', '-cpu', 'max']));
  });
});
