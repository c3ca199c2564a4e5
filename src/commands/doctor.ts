// SPDX-License-Identifier: GPL-2.0-only
import { EnokeyCommand } from '../cli/command.js';
import { table } from '../cli/table.js';
import { diagnose, type DoctorReport } from '../host/doctor.js';

const SIGNS = { ok: 'ok', warn: 'warn', missing: 'MISSING' } as const;

export default class Doctor extends EnokeyCommand<typeof Doctor> {
  static override summary = 'say what this host has and lacks, and the one package command that mends it';
  static override description =
    'Checks programs, headers, disk and memory, and boots a tiny payload on each accelerator: a /dev/kvm that opens ' +
    'proves nothing. Exits 0 when everything that is needed is there, 2 otherwise.';
  static override examples = ['<%= config.bin %> doctor', '<%= config.bin %> doctor --json'];

  protected override readonly needsSettings = false;

  protected async execute(): Promise<DoctorReport> {
    const report = await diagnose(this.context);
    this.log(
      table(
        ['', 'check', 'found', 'for'],
        report.checks.map((check) => [SIGNS[check.state], check.id, check.detail, check.purpose]),
      ),
    );
    const missing = report.checks.filter((check) => check.state === 'missing');
    if (report.command) this.log(`\nTo install what is missing:\n  ${report.command}`);
    else if (missing.length > 0) {
      const packages = missing.flatMap((check) => (check.package ? [check.package] : []));
      if (packages.length > 0)
        this.log(`\nMissing, by the names of Debian packages: ${[...new Set(packages)].join(' ')}`);
    }
    if (!report.ok) process.exitCode = 2;
    return report;
  }
}
