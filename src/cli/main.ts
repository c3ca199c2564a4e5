// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';

/**
 * Entry of the program. `--version` is answered before oclif is even loaded: people run it in scripts, and it
 * should cost hardly more than starting node.
 */
export async function main(entry: string, options: { development?: boolean } = {}): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', entry), 'utf8')) as {
      version: string;
    };
    process.stdout.write(`enokey/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
    return;
  }
  const { execute } = await import('@oclif/core');
  await execute({ dir: entry, args: argv, development: options.development ?? false });
}
