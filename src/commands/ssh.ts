// SPDX-License-Identifier: GPL-2.0-only
import { Args } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { userStreams } from '../cli/streams.js';
import { connectGuest } from '../guest/attach.js';
import { runTerminal } from '../guest/terminal.js';

export default class Ssh extends EnokeyCommand<typeof Ssh> {
  static override summary = 'open a shell, or run a command, in a guest that runs';
  static override description =
    'The exit code is that of the shell or command. Every argument after -- reaches the command unchanged: no shell ' +
    "in between expands it. On a terminal Ctrl-C is the guest's.";
  static override examples = [
    '<%= config.bin %> ssh stock',
    '<%= config.bin %> ssh stock -- dmesg --level=err,warn',
    'tar -c probes | <%= config.bin %> ssh stock -- tar -x -C /root',
  ];
  static override args = { name: Args.string({ required: true, description: 'name of the guest, see ps' }) };
  static override strict = false;
  static override enableJsonFlag = false;

  protected override readonly needsSettings = false;

  protected async execute(): Promise<void> {
    const { connection } = await connectGuest(this.context, this.args.name);
    try {
      await this.quiet();
      process.exitCode = await runTerminal(
        connection,
        this.rest.slice(1),
        userStreams(),
        this.context.signal,
      );
    } finally {
      connection.close();
    }
  }
}
