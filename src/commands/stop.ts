// SPDX-License-Identifier: GPL-2.0-only
import { Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';
import { UserError } from '../core/errors.js';
import { stopGuests } from '../guest/attach.js';
import { findGuest, listGuests } from '../guest/registry.js';

export default class Stop extends EnokeyCommand<typeof Stop> {
  static override summary = 'end guests';
  static override description =
    'Ends the guests at once: what the guest did not write to its disks is lost, as are disks of `boot`.';
  static override usage = ['stop NAME...', 'stop --all'];
  static override examples = ['<%= config.bin %> stop stock', '<%= config.bin %> stop --all'];
  static override strict = false;
  static override flags = { all: Flags.boolean({ summary: 'every guest of this user' }) };

  protected override readonly needsSettings = false;

  protected async execute(): Promise<object> {
    const names = this.rest;
    if (Boolean(this.flags.all) === names.length > 0) {
      throw new UserError({
        subject: 'stop',
        observed: names.length > 0 ? '--all and names together' : 'no guest named',
        expected: 'names of guests, or --all',
        next: '`enokey ps` lists the guests that run',
      });
    }
    const records = this.flags.all
      ? await listGuests(this.context)
      : await Promise.all([...new Set(names)].map((name) => findGuest(this.context, name)));
    const stopped = await stopGuests(this.context, records);
    this.log(stopped.length > 0 ? `ended ${stopped.join(', ')}` : 'no guest runs');
    return { stopped };
  }
}
