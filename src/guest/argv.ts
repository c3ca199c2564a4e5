// SPDX-License-Identifier: GPL-2.0-only
import { cpuModel } from '../host/probe.js';
import type { AcceleratorName } from '../host/types.js';
import type { GuestSpec } from './types.js';

/** What a guest's QEMU needs besides its spec. All paths absolute. */
export interface GuestFiles {
  /** Unix socket that QEMU makes; at most 107 bytes (unix(7)). */
  readonly qmpSocket: string;
  /** QEMU writes its pid here, so that it can be found when whoever started it was killed at once. */
  readonly pidFile: string;
  /** Port on 127.0.0.1 that leads to the guest's port 22. */
  readonly sshPort: number;
  readonly console: string;
  /** The guest's SSH host key, OpenSSH PEM. */
  readonly hostKey: string;
  /** One line: the public key that may log in as root. */
  readonly authorizedKeys: string;
  /** Host file of each test disk, in the order of `spec.disks`. */
  readonly disks: readonly string[];
}

/**
 * The kernel command line.
 * - `panic=-1` resets at once after a panic, and QEMU then exits (`-no-reboot`): a panic never looks like a freeze.
 * - `printk.time=1`: supervision tells the kernel's words from those of user space by their timestamps.
 * - `nokaslr` makes addresses on the console the ones of vmlinux.
 * - `random.trust_cpu=on` and `no_timer_check` spare an emulated guest waits that prove nothing.
 * - `tsc=nowatchdog`, under TCG: v7.3's clocksource watchdog waits, with interrupts off, for the other CPU to answer, and
 *   times that by the current clocksource. A second after power-on that may still be jiffies, which stand still
 *   meanwhile: if the other CPU is in stop_machine() with interrupts off, both wait for ever. A kernel that boots in less
 *   is past it, an emulated one is not always. TCG's CPUs share one TSC, so there is nothing to watch.
 */
export function kernelCommandLine(accelerator: AcceleratorName, extra: readonly string[]): string {
  return [
    'root=/dev/vda',
    'rootfstype=ext4',
    'rw',
    'console=ttyS0,115200',
    'earlyprintk=serial,ttyS0,115200',
    'printk.time=1',
    'panic=-1',
    'nokaslr',
    'random.trust_cpu=on',
    'no_timer_check',
    ...(accelerator === 'tcg' ? ['tsc=nowatchdog'] : []),
    ...extra,
  ].join(' ');
}

/** A value inside one of QEMU's comma-separated options: a comma is doubled. */
function value(text: string): string {
  return text.replaceAll(',', ',,');
}

function acceleration(accelerator: AcceleratorName, countInstructions = false): string[] {
  const plain = accelerator === 'tcg' ? 'tcg,thread=multi' : 'kvm';
  const how = countInstructions ? ['tcg,thread=single', '-icount', 'shift=0'] : [plain];
  return ['-accel', ...how, '-cpu', cpuModel(accelerator)];
}

/**
 * QEMU's arguments for a guest. Pure.
 *
 * - Machine `q35` with `-nodefaults`: everything that the guest has is named here. The kernel is entered through PVH
 *   (`-kernel vmlinux`), which skips decompression.
 * - The console has its own chardev, a file, so that nothing but the kernel's serial port writes there.
 * - The network is QEMU's user mode with `restrict=on`: the guest reaches neither the host nor anything beyond, and
 *   only the forwarded port on the loopback leads in.
 * - The root disk is opened with `snapshot=on`: writes go to an unlinked file in TMPDIR, the image stays as it is.
 * - Test disks are raw sparse files that the host can read. The guest always sees a volatile write cache (so it sends
 *   flushes and FUA as to a real disk). `cache=unsafe` only spares the host its fsync for each of them: what QEMU has
 *   taken lives in the host's page cache and survives QEMU's SIGKILL; it would not survive the host's own power cut,
 *   and then the measurement is gone as well. A guest's power cut that loses unflushed writes has to be made with
 *   dm-log-writes, not with a cache mode.
 * - The order of drives is the order of /dev/vdX: root is vda. Test disks are found by their serial.
 */
export function qemuArgs(spec: GuestSpec, files: GuestFiles): string[] {
  // -icount exists for TCG without threads only, whatever was probed.
  const accelerator = spec.countInstructions ? 'tcg' : spec.accelerator.name;
  const drive = (id: string, file: string, more: string): string[] => [
    '-drive',
    `file=${value(file)},if=none,id=${id},format=raw,${more}`,
  ];
  return [
    ...['-name', `enokey-${spec.name}`, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-pidfile', files.pidFile],
    ...['-machine', 'q35,vmport=off,smm=off'],
    ...acceleration(accelerator, spec.countInstructions),
    ...['-smp', String(spec.cpus), '-m', `${spec.memoryMiB}M`],
    ...['-kernel', spec.vmlinux, '-append', kernelCommandLine(accelerator, spec.kernelArgs)],
    ...['-chardev', `file,id=console,path=${value(files.console)}`, '-serial', 'chardev:console'],
    ...[
      '-chardev',
      `socket,id=qmp,path=${value(files.qmpSocket)},server=on,wait=off`,
      '-mon',
      'chardev=qmp,mode=control',
    ],
    ...['-fw_cfg', `name=opt/enokey/host_key,file=${value(files.hostKey)}`],
    ...['-fw_cfg', `name=opt/enokey/authorized_keys,file=${value(files.authorizedKeys)}`],
    ...drive('root', spec.rootfs, 'snapshot=on,cache=unsafe,discard=unmap'),
    ...['-device', 'virtio-blk-pci,drive=root,serial=root'],
    ...spec.disks.flatMap((disk, index) => [
      ...drive(
        `disk${index}`,
        files.disks[index] ?? '',
        // An image is shared by guests and stays as it is.
        disk.image === undefined
          ? 'cache=unsafe,discard=unmap,detect-zeroes=off'
          : 'snapshot=on,cache=unsafe,discard=unmap',
      ),
      ...['-device', `virtio-blk-pci,drive=disk${index},serial=${disk.name}`],
    ]),
    ...['-netdev', `user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:${files.sshPort}-:22`],
    ...['-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
  ];
}
