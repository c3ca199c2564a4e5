// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';

export default class Image extends EnokeyCommand<typeof Image> {
  static override summary = "Make the guest's root file system, or look at one";
  static override description = `Debian trixie with btrfs-progs from trixie-backports, sshd, the tools that fstests wants and an init of its own, as one raw ext4 file; the recipe is vm/image/. Packages come from the archive that this host's apt uses. Works as root, and as an ordinary user with a range in /etc/subuid. Guests write to a throw-away overlay, so that one image serves all. The other commands make it by themselves when they need it.`;
  static override examples = [
    '<%= config.bin %> image',
    '<%= config.bin %> image --again',
    '<%= config.bin %> image --dry-run --json',
    '<%= config.bin %> image --check root.ext4',
  ];
  static override flags = {
    again: Flags.boolean({ summary: 'Make it anew, with the newest packages' }),
    check: Flags.string({
      summary: 'Only say whether this file is a root image',
      helpValue: 'FILE',
      exclusive: ['again', 'dry-run'],
    }),
    'dry-run': Flags.boolean({ summary: 'Only say what is there' }),
  };

  protected override readonly needsSettings: boolean = false;

  protected override async execute(): Promise<object> {
    const { flags, context } = this;
    if (flags.check !== undefined) {
      const { inspectRootfs } = await import('../image/rootfs.js');
      const file = path.resolve(process.cwd(), flags.check);
      const { bytes } = await inspectRootfs(file);
      this.log(`${file}: ext4, ${Math.round(bytes / 1024 ** 2)} MiB`);
      return { file, bytes };
    }
    const { ensureImage, imageStatus } = await import('../image/index.js');
    if (flags['dry-run']) {
      const status = await imageStatus(context);
      this.log(`${status.dir}: ${status.image ? 'there' : 'would be made'}`);
      return { ...status, state: status.image ? 'there' : 'absent' };
    }
    const image = await ensureImage(context, { again: flags.again });
    this.log(image.rootfs);
    for (const [name, version] of Object.entries(image.packages)) this.log(`  ${name} ${version}`);
    return image;
  }
}
