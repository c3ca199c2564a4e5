// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Args, Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { UserError } from '../core/errors.js';
import { sshTarget } from '../guest/attach.js';
import { launchGuest, parseDisk } from '../guest/launch.js';
import { findGuest } from '../guest/registry.js';
import { runTerminal } from '../guest/terminal.js';
import { SshConnection } from '../ssh/index.js';
import { userStreams } from '../cli/streams.js';

export default class Boot extends EnokeyCommand<typeof Boot> {
  static override summary = 'boot a variant and give a shell in it over SSH';
  static override description =
    'Builds the kernel and the image when they are not in the store. The guest ends with the shell, and the exit code ' +
    'of the shell is that of this command. With --detach the guest stays: see ssh, ps and stop. Commands may be piped ' +
    'in. The guest reaches no network.';
  static override examples = [
    '<%= config.bin %> boot stock',
    '<%= config.bin %> boot soft --fs btrfs --fs ext4',
    '<%= config.bin %> boot stock --detach --name a && <%= config.bin %> ssh a -- uname -r',
    'echo "cat /proc/version" | <%= config.bin %> boot stock --profile debug',
  ];
  static override args = {
    variant: Args.string({ required: true, description: 'variant, or VARIANT@N for its first N patches' }),
  };
  static override flags = {
    name: Flags.string({ helpValue: 'NAME', summary: 'name of the guest [default: the variant]' }),
    detach: Flags.boolean({ summary: 'leave the guest running and return once it answers' }),
    fs: Flags.string({
      multiple: true,
      helpValue: 'FS',
      summary: 'make FS with encryption on a disk of its own and mount it at /mnt/FS',
    }),
    disk: Flags.string({
      multiple: true,
      helpValue: 'NAME=SIZE',
      summary: 'add an empty disk, /dev/enokey/NAME',
    }),
    cpus: Flags.integer({ default: 2, min: 1, max: 8, summary: 'virtual CPUs' }),
    memory: Flags.integer({ default: 1024, min: 128, helpValue: 'MiB', summary: 'memory of the guest' }),
    accel: Flags.option({
      options: ['kvm', 'tcg'] as const,
      summary: 'accelerator [default: KVM when it works]',
    })(),
    profile: Flags.option({
      options: ['default', 'debug'] as const,
      summary: 'kernel configuration; debug has KASAN and lockdep',
    })(),
    tree: Flags.string({ helpValue: 'DIR', summary: 'kernel git tree to build from' }),
    'kernel-arg': Flags.string({
      multiple: true,
      helpValue: 'ARG',
      summary: 'append to the kernel command line',
    }),
  };

  protected async execute(): Promise<object> {
    const { flags } = this;
    if (this.jsonEnabled() && !flags.detach) {
      throw new UserError({
        subject: '--json',
        observed: 'a shell has no JSON result',
        next: 'add --detach',
      });
    }
    const variant = await this.settings.resolve(this.args.variant);
    const guest = await launchGuest(this.context, {
      variant,
      profile: flags.profile ?? this.settings.profile ?? 'default',
      tree: flags.tree === undefined ? this.settings.tree : path.resolve(flags.tree),
      name: flags.name,
      cpus: flags.cpus,
      memoryMiB: flags.memory,
      accelerator: flags.accel,
      disks: (flags.disk ?? []).map(parseDisk),
      filesystems: flags.fs ?? [],
      kernelArgs: flags['kernel-arg'] ?? [],
      detached: flags.detach,
    });
    if (flags.detach) {
      await guest.detach();
      const record = await findGuest(this.context, guest.name);
      this.log(`${guest.name} runs ${record.release}: ${this.config.bin} ssh ${guest.name}`);
      return {
        name: guest.name,
        release: record.release,
        pid: record.qemu?.pid,
        sshPort: record.sshPort,
        console: guest.console,
        bootTimes: guest.bootTimes,
      };
    }
    await this.quiet();
    try {
      const record = await findGuest(this.context, guest.name);
      const connection = await SshConnection.connect(sshTarget(record), this.context.signal);
      try {
        process.exitCode = await runTerminal(connection, [], userStreams(), this.context.signal);
      } finally {
        connection.close();
      }
    } finally {
      await guest.stop();
    }
    return {};
  }
}
