// SPDX-License-Identifier: GPL-2.0-only
// npm run bench [-- NAME ...]: every figure with what it is measured against, side by side, in one run. Exits 1 when
// a limit is not kept. Builds and makes what the stores lack first; run it on an otherwise idle machine.
import { boot } from './boot.js';
import { fstests } from './fstests.js';
import { hook } from './hook.js';
import { overhead } from './overhead.js';
import { race } from './race.js';
import { startup } from './startup.js';
import { switching } from './switch.js';
import { throughput } from './throughput.js';
import { table } from '../src/cli/table.js';

// fstests is not in the repository: its bench needs a checkout or a network, and runs when ENOKEY_FSTESTS is set.
const benches = {
  startup,
  boot,
  overhead,
  race,
  switching,
  hook,
  throughput,
  ...(process.env['ENOKEY_FSTESTS'] === undefined ? {} : { fstests }),
};
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`bench: unknown ${unknown.join(', ')} (expected ${Object.keys(benches).join(', ')})`);
  process.exit(2);
}

const rows: string[][] = [];
for (const [key, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(key)) continue;
  let measured;
  try {
    measured = await bench.measure();
  } catch (error) {
    // One that fails must not take the figures of the others with it.
    rows.push([bench.name, `failed: ${(error as Error).message}`, '', '', bench.limit, 'NOT MEASURED']);
    process.exitCode = 1;
    continue;
  }
  for (const result of [measured].flat()) {
    const { part, rows: figures, ratio, limit = bench.limit, estimate, ok } = result;
    rows.push([
      [bench.name, part].filter(Boolean).join(': '),
      ...figures.slice(0, 2).map(([label, figure]) => `${label}: ${figure}`),
      estimate
        ? `${estimate.median.toFixed(4)} (${estimate.low.toFixed(4)} to ${estimate.high.toFixed(4)})`
        : ratio.toFixed(2),
      ok === undefined ? '' : limit,
      ok === undefined ? '' : ok ? 'kept' : 'NOT KEPT',
    ]);
    if (ok === false) process.exitCode = 1;
  }
}
console.log(table(['bench', 'measured', 'against', 'figure', 'limit', ''], rows));
