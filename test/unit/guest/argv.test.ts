// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { kernelCommandLine, qemuArgs, type GuestFiles } from '../../../src/guest/argv.js';
import type { GuestSpec } from '../../../src/guest/types.js';

const spec: GuestSpec = {
  name: 'g1',
  vmlinux: '/store/a b/vmlinux',
  release: '7.3.4',
  buildId: 'ab',
  rootfs: '/store/root,1.ext4',
  disks: [
    { name: 'test', sizeBytes: 512 },
    { name: 'scratch', sizeBytes: 512 },
  ],
  accelerator: { name: 'tcg', reason: '', timeScale: 15 },
  cpus: 2,
  memoryMiB: 1024,
  kernelArgs: ['enokey.x=1'],
  workDir: '/w',
};
const files: GuestFiles = {
  qmpSocket: '/rt/qmp',
  pidFile: '/rt/pid',
  sshPort: 40123,
  console: '/w/console.log',
  hostKey: '/rt/host_key',
  authorizedKeys: '/rt/authorized_keys',
  disks: ['/w/test.img', '/w/scratch.img'],
};
const valuesOf = (args: string[], flag: string): string[] => args.filter((_, at) => args[at - 1] === flag);

describe('qemuArgs', () => {
  const args = qemuArgs(spec, files);

  it('gives the guest nothing that is not named', () => {
    expect(args).toEqual(expect.arrayContaining(['-nodefaults', '-no-user-config', '-no-reboot']));
    expect(valuesOf(args, '-display')).toEqual(['none']);
  });

  it('leaves the guest no way out and one way in, on the loopback', () => {
    expect(valuesOf(args, '-netdev')).toEqual([
      'user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:40123-:22',
    ]);
  });

  it('puts the root disk first and never writes to its image', () => {
    const drives = valuesOf(args, '-drive');
    expect(drives[0]).toBe(
      'file=/store/root,,1.ext4,if=none,id=root,format=raw,snapshot=on,cache=unsafe,discard=unmap',
    );
    expect(drives.slice(1).every((drive) => !drive.includes('snapshot'))).toBe(true);
  });

  it('names test disks by serial, in order', () => {
    expect(valuesOf(args, '-device').filter((device) => device.startsWith('virtio-blk'))).toEqual([
      'virtio-blk-pci,drive=root,serial=root',
      'virtio-blk-pci,drive=disk0,serial=test',
      'virtio-blk-pci,drive=disk1,serial=scratch',
    ]);
  });

  it('writes to an image of somebody else only in an overlay', () => {
    const withImage = qemuArgs(
      { ...spec, disks: [{ name: 'fstests', sizeBytes: 0, image: '/store/f.img' }] },
      { ...files, disks: ['/store/f.img'] },
    );
    expect(valuesOf(withImage, '-drive')[1]).toMatch(/^file=\/store\/f\.img,.*snapshot=on/);
  });

  it('hands the keys over by fw_cfg under the names that init reads', () => {
    expect(valuesOf(args, '-fw_cfg')).toEqual([
      'name=opt/enokey/host_key,file=/rt/host_key',
      'name=opt/enokey/authorized_keys,file=/rt/authorized_keys',
    ]);
  });

  it('counts instructions with one thread of TCG, whatever was probed', () => {
    const kvm = { name: 'kvm', reason: '', timeScale: 1 } as const;
    const counting = qemuArgs({ ...spec, accelerator: kvm, countInstructions: true }, files);
    expect(valuesOf(counting, '-accel')).toEqual(['tcg,thread=single']);
    expect(valuesOf(counting, '-icount')).toEqual(['shift=0']);
    expect(valuesOf(counting, '-cpu')).toEqual(['max']);
    expect(args).not.toContain('-icount');
  });

  it('runs the CPU of the accelerator that was probed', () => {
    expect(valuesOf(args, '-accel')).toEqual(['tcg,thread=multi']);
    expect(valuesOf(args, '-cpu')).toEqual(['max']);
    const kvm = qemuArgs({ ...spec, accelerator: { name: 'kvm', reason: '', timeScale: 1 } }, files);
    expect(valuesOf(kvm, '-accel')).toEqual(['kvm']);
    expect(valuesOf(kvm, '-cpu')).toEqual(['host']);
  });

  it("boots the vmlinux with the spec's arguments last, so that they win", () => {
    expect(valuesOf(args, '-kernel')).toEqual(['/store/a b/vmlinux']);
    expect(valuesOf(args, '-append')[0]).toMatch(/^root=\/dev\/vda .*panic=-1.* enokey\.x=1$/);
  });

  it('keeps addresses as in vmlinux', () => {
    expect(kernelCommandLine('kvm', []).split(' ')).toContain('nokaslr');
  });

  it('leaves out the watchdog of the TSC, which can stop an emulated boot for good, under TCG alone', () => {
    expect(kernelCommandLine('tcg', []).split(' ')).toContain('tsc=nowatchdog');
    expect(kernelCommandLine('kvm', [])).not.toContain('tsc=');
  });
});
