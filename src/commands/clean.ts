// SPDX-License-Identifier: GPL-2.0-only
import { Flags } from '@oclif/core';

import { EnokeyCommand } from '../cli/command.js';

export default class Clean extends EnokeyCommand<typeof Clean> {
  static override summary = 'Free space: what killed commands left, and what is asked for by name';
  static override description = `Without a flag it only ends guests and removes files that nobody owns any more, and says what could be freed.
Nothing that a live process or guest uses is touched. Runs (results) are removed by --runs alone, never by --all.`;
  static override examples = [
    '<%= config.bin %> clean',
    '<%= config.bin %> clean --artifacts --dry-run',
    '<%= config.bin %> clean --all',
  ];
  static override flags = {
    all: Flags.boolean({ summary: 'Everything that can be made again; not runs' }),
    artifacts: Flags.boolean({ summary: 'Built kernels' }),
    images: Flags.boolean({ summary: 'Guest images' }),
    trees: Flags.boolean({ summary: 'Imported kernel trees, worktrees and build folders' }),
    probes: Flags.boolean({ summary: 'Built probes, and the port of generic/595' }),
    fstests: Flags.boolean({ summary: 'fstests as fetched, exported and built' }),
    runs: Flags.boolean({ summary: 'Runs: results, which cannot be made again' }),
    'dry-run': Flags.boolean({ summary: 'Say what would be removed, and remove nothing' }),
  };

  protected override async execute(): Promise<object> {
    const { flags, context } = this;
    const [{ clean, CLEANABLE }, { formatBytes }, { table }] = await Promise.all([
      import('../run/clean.js'),
      import('../system/disk.js'),
      import('../cli/table.js'),
    ]);
    const kinds = CLEANABLE.filter((kind) => flags[kind] || (flags.all && kind !== 'runs'));
    const result = await clean(context, { kinds, dryRun: flags['dry-run'] });
    const rows = result.removed.map(({ kind, path, bytes }) => [kind, formatBytes(bytes), path]);
    if (rows.length > 0)
      this.log(table([flags['dry-run'] ? 'would remove' : 'removed', 'size', 'path'], rows));
    else this.log('nothing to remove');
    const total = result.removed.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total > 0) this.log(`${flags['dry-run'] ? 'would free' : 'freed'} ${formatBytes(total)}`);
    for (const guest of result.guests) this.log(`ended the left-over guest ${guest}`);
    for (const { path, reason } of result.kept) this.log(`kept ${path}: ${reason}`);
    const freeable = Object.entries(result.freeable).map(([kind, bytes]) => `${kind} ${formatBytes(bytes)}`);
    if (freeable.length > 0) this.log(`still there: ${freeable.join(', ')}`);
    return { ...result, dryRun: flags['dry-run'] };
  }
}
