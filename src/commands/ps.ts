// SPDX-License-Identifier: GPL-2.0-only
import { EnokeyCommand } from '../cli/command.js';
import { table } from '../cli/table.js';
import { listGuests, sweepGuests } from '../guest/registry.js';

export default class Ps extends EnokeyCommand<typeof Ps> {
  static override summary = 'list the guests that run';
  static override description = 'Guests that a killed enokey left behind are ended first.';
  static override examples = ['<%= config.bin %> ps', '<%= config.bin %> ps --json'];

  protected override readonly needsSettings = false;

  protected async execute(): Promise<object> {
    for (const name of await sweepGuests(this.context)) {
      this.context.emit({
        type: 'note',
        level: 'info',
        text: `removed guest ${name}, which nobody owned any more`,
      });
    }
    const guests = (await listGuests(this.context)).map((guest) => ({
      name: guest.name,
      label: guest.label,
      state: guest.state,
      release: guest.release,
      accelerator: guest.accelerator.name,
      cpus: guest.cpus,
      memoryMiB: guest.memoryMiB,
      pid: guest.qemu?.pid,
      owner: guest.detached ? undefined : guest.owner.pid,
      sshPort: guest.sshPort,
      startedAt: guest.startedAt,
      console: guest.console,
    }));
    if (guests.length === 0) this.log('no guest runs');
    else {
      this.log(
        table(
          ['NAME', 'VARIANT', 'STATE', 'ACCEL', 'PID', 'OWNER', 'CONSOLE'],
          guests.map((guest) => [
            guest.name,
            guest.label,
            guest.state,
            guest.accelerator,
            String(guest.pid ?? '-'),
            guest.owner === undefined ? 'detached' : String(guest.owner),
            guest.console,
          ]),
        ),
      );
    }
    return { guests };
  }
}
