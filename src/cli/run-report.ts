// SPDX-License-Identifier: GPL-2.0-only
import { shellWord } from '../core/shell-word.js';
import { reportJson, reportTable } from '../report/formats.js';
import { leftOutText } from '../report/left-out.js';
import { summarise, type Summary } from '../report/summary.js';
import { tellingLines } from '../report/tell-apart.js';
import { verdictOf } from '../report/verdict.js';
import type { Estimate } from '../run/estimate.js';
import type { RunPlan, RunRecord, SessionTiming } from '../run/types.js';
import { table } from './table.js';

function minutes(ms: number): string {
  return ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
}

/** The table of a run with what goes above and below it. */
export function runTable(summary: Summary): string {
  const { plan, environment } = summary;
  const { head, rows } = reportTable(summary);
  const partial = summary.complete ? '' : ' -- PARTIAL, not finished';
  const lines = [`run ${plan.id}: ${summary.done} of ${summary.planned} cells, seed ${plan.seed}${partial}`];
  if (environment) {
    const kernels = environment.kernels.map((kernel) => `${kernel.variant} ${kernel.release}`).join(', ');
    lines.push(`${kernels}; ${environment.accelerator.name}; ${environment.qemu}`);
  }
  const telling = tellingLines(summary);
  lines.push('', table(head, rows), ...(telling.length > 0 ? ['', ...telling] : []));
  lines.push('', verdictOf(summary).reason);
  return lines.join('\n');
}

export interface RunOutput {
  readonly text: string;
  readonly json: object;
  readonly exitCode: number;
}

/** What a command that ran cells says: table, where the files are, and where the time went. */
export function runOutput(dir: string, record: RunRecord, timing: SessionTiming): RunOutput {
  const summary = summarise(record);
  const verdict = verdictOf(summary);
  const text = [
    runTable(summary),
    '',
    `files: ${dir}`,
    // The folder and not the id: an id is only looked for below the state folder, and a run can be anywhere.
    `mail:  enokey report ${shellWord(dir)} --format mail`,
    `time:  ${(timing.totalMs / 1000).toFixed(1)} s, of which ${(timing.outsideGuestsMs / 1000).toFixed(1)} s outside guests; ${timing.boots} boots, ${timing.cells} cells`,
  ].join('\n');
  return { text, json: { dir, verdict, timing, ...reportJson(summary) }, exitCode: verdict.exitCode };
}

/** What --dry-run shows. */
export function planText(plan: RunPlan, estimate: Estimate): string {
  const rows = plan.variants.flatMap((variant) =>
    plan.filesystems.flatMap((filesystem) =>
      plan.tests.flatMap((test) => {
        const count = plan.cells.filter(
          (cell) => cell.variant === variant && cell.filesystem === filesystem && cell.test === test,
        ).length;
        return count > 0
          ? [[variant, filesystem, test, String(count), (plan.probeArgs[test] ?? []).join(' ')]]
          : [];
      }),
    ),
  );
  const first = plan.cells.slice(0, 5).map((cell) => `${cell.variant} ${cell.filesystem} ${cell.test}`);
  return [
    table(['variant', 'fs', 'test', 'iterations', 'arguments'], rows),
    '',
    `${estimate.cells} cells, ${estimate.boots} boots, at most ${plan.liveGuests} guests of ${plan.guest.memoryMiB} MiB at once, seed ${plan.seed}`,
    ...(plan.leftOut ?? []).map((one) => `left out: ${leftOutText(one)}`),
    `order begins with: ${first.join('; ')}`,
    `about ${minutes(estimate.ms)} under TCG, less on KVM; building kernels and the image not counted`,
    plan.command,
  ].join('\n');
}

/** Every cell with its outcome, in the order in which they ran, and its files. */
export function cellsText(dir: string, record: RunRecord): string {
  const rows = record.results.map((cell) => [
    cell.standing === 'unexpected' ? '!' : ' ',
    cell.filesystem,
    cell.test,
    String(cell.iteration + 1),
    cell.outcome,
    cell.detail ?? cell.reading?.summary ?? '',
    cell.files,
  ]);
  return [
    table(['', 'fs', 'test', '#', 'outcome', 'what was seen', 'files'], rows),
    '',
    verdictOf(summarise(record)).reason,
    `files are below ${dir}`,
  ].join('\n');
}
