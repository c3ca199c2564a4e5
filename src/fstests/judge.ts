// SPDX-License-Identifier: GPL-2.0-only
import { oneLine } from '../core/clean-text.js';
import type { Reading } from '../probe/types.js';
import type { CheckOutput, FailReason, TestLine } from './parse.js';
import { readAppends, readPhases } from './phase.js';

/** What came back from one `check TEST`: its output, its end, and the files of its RESULT_BASE. All untrusted. */
export interface CheckEnd {
  readonly output: CheckOutput;
  /** undefined: none was ever received. */
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  /** Contents (bounded) of TEST.notrun, TEST.out.bad, TEST.full where they exist. */
  readonly files: {
    readonly notrun?: string;
    readonly outBad?: string;
    readonly full?: string;
    readonly dmesg?: string;
  };
  /** The test's golden output in the tree that ran. */
  readonly golden?: string;
  /** Last line of standard error, for messages. */
  readonly stderr?: string;
}

const REASON_TEXTS: Readonly<Record<FailReason, string>> = {
  'exit-status': 'non-zero exit status',
  'output-mismatch': 'output mismatch',
  dmesg: 'kernel report in dmesg',
  fsck: 'file system inconsistent',
  core: 'dumped core',
  kmemleak: 'memory leak',
  'no-golden-output': 'no golden output',
};

function infra(summary: string): Reading {
  return { outcome: 'infra', summary: oneLine(summary, 300), cases: {} };
}

/**
 * The reading of one test. A pass needs everything at once: the test's own line with its time, the summary that
 * counts it, exit status 0, and no file that says otherwise. `notrun` is never a pass, whatever the summary says
 * (`check` ends with "Passed all 1 tests" after a notrun). Output that contradicts itself is `infra`: somebody
 * else's `check`, or bytes lost on the way, not a result.
 */
export function judge(id: string, end: CheckEnd): Reading {
  const { output } = end;
  const line = output.tests.get(id);
  if (end.timedOut) return infra(`${id} did not end within its limit`);
  if (line?.status === 'notrun' || (end.files.notrun !== undefined && line?.status !== 'fail')) {
    const reason = line?.text || end.files.notrun || 'no reason given';
    if (output.failures.includes(id)) return infra(`check says both "not run" and "failed" about ${id}`);
    return { outcome: 'notrun', summary: `notrun: ${oneLine(reason)}`, cases: {} };
  }
  if (line?.status === 'expunged')
    return { outcome: 'notrun', summary: 'notrun: excluded by the fstests tree itself', cases: {} };
  if (line?.status === 'fail' || output.failures.includes(id)) return failed(id, line, end);
  if (line?.status === 'missing') return infra(`the fstests tree has no test ${id}`);
  if (output.fatal) return infra(`check gave up: ${output.fatal}`);
  if (!line) {
    const why = end.stderr || output.stray.at(-1);
    return infra(`check said nothing about ${id}${exitText(end)}${why ? `: ${oneLine(why)}` : ''}`);
  }
  if (output.interrupted) return infra(`check was interrupted during ${id}`);
  if (output.passedAll === undefined && output.failed === undefined) {
    return infra(`check ended without a summary${exitText(end)}`);
  }
  if (line.status !== 'pass') return infra(`check never finished the line of ${id}${exitText(end)}`);
  const contradiction = contradicts(id, end);
  if (contradiction) return infra(`check says that ${id} passed, but ${contradiction}`);
  return passed(id, line, end);
}

function exitText(end: CheckEnd): string {
  return end.exitCode === undefined ? ', without an exit status' : ` (exit ${end.exitCode})`;
}

function contradicts(id: string, end: CheckEnd): string | undefined {
  const { output } = end;
  if (end.exitCode === undefined) return 'no exit status was received';
  if (end.exitCode !== 0) return `its exit status is ${end.exitCode}`;
  if (output.failed) return `its summary counts ${output.failed.bad} failed`;
  if (!output.passedAll) return `its summary counts ${output.passedAll ?? 0} tests`;
  if (!output.ran.includes(id)) return 'it is not among the tests that ran';
  if (output.notRun.includes(id)) return 'it is also listed as not run';
  if (end.files.outBad !== undefined) return 'it left an .out.bad';
  return undefined;
}

const is595 = (id: string): boolean => id === 'generic/595';

function passed(id: string, line: TestLine, end: CheckEnd): Reading {
  const time = `${line.seconds ?? 0} s`;
  if (!is595(id) || end.golden === undefined) return { outcome: 'pass', summary: `pass, ${time}`, cases: {} };
  const counts = readAppends(end.files.full ?? '');
  return {
    outcome: 'pass',
    summary: `pass, ${time}${counts ? `, ${counts.acknowledged} appends kept` : ''}`,
    cases: readPhases(end.golden, end.golden).cases,
    ...(counts ? { counts } : {}),
  };
}

function failed(id: string, line: TestLine | undefined, end: CheckEnd): Reading {
  const reasons = (line?.reasons ?? []).map((reason) => REASON_TEXTS[reason]);
  const exit = line?.exitStatus === undefined ? [] : [`exit status ${line.exitStatus}`];
  const plain = [...new Set([...reasons.filter((text) => text !== REASON_TEXTS['exit-status']), ...exit])];
  const said = plain.length > 0 ? plain.join(', ') : 'listed among the failures';
  if (!is595(id) || end.golden === undefined || end.files.outBad === undefined) {
    const first = line?.detail.find((text) => /^\s+[+-](?![+-])/.test(text));
    return {
      outcome: 'fail',
      summary: oneLine(`${said}${first ? `: ${first.trim()}` : ''}`, 300),
      cases: {},
    };
  }
  const phases = readPhases(end.files.outBad, end.golden);
  const counts = readAppends(end.files.full ?? '');
  // Sizes tell only what is missing, not what else of a file differs.
  const atLeast = phases.cases['multi-threaded'] === 'wrong' ? 'at least ' : '';
  const lost =
    counts && counts.lost > 0
      ? ` (${atLeast}${counts.lost} of ${counts.acknowledged} acknowledged appends lost)`
      : '';
  // A dmesg or fsck failure can stand beside phases that are both fine.
  const named = phases.failures.length > 0 ? `${phases.failures.join('; ')}${lost}` : said;
  const more = phases.failures.length > 0 ? reasons.filter((text) => !/mismatch|exit status/.test(text)) : [];
  return {
    outcome: 'fail',
    summary: oneLine([named, ...more].join('; '), 300),
    cases: phases.cases,
    ...(counts ? { counts } : {}),
  };
}
