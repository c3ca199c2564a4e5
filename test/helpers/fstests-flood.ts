// SPDX-License-Identifier: GPL-2.0-only
// Runs the tree that floods, in a process of its own, and prints the outcome and the peak of its memory.
import { runTree } from './fstests-run.js';

const { reading } = await runTree(process.argv[2] ?? '', 'flood');
const maxRssMiB = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(
  `${JSON.stringify({ outcome: reading?.outcome, summary: reading?.summary, maxRssMiB })}\n`,
);
