// SPDX-License-Identifier: GPL-2.0-only
import { cleanLine } from '../core/clean-text.js';

/** Why `check` calls a test failed; one test may have several. */
export type FailReason =
  'exit-status' | 'output-mismatch' | 'dmesg' | 'fsck' | 'core' | 'kmemleak' | 'no-golden-output';

/** What `check` printed about one test. */
export interface TestLine {
  readonly name: string;
  /** `unknown`: the line was never finished (killed, crashed) or says nothing that we know. */
  readonly status: 'pass' | 'fail' | 'notrun' | 'expunged' | 'missing' | 'unknown';
  /** Seconds, for a pass. */
  readonly seconds?: number;
  /** Exit status of a test that failed by it. */
  readonly exitStatus?: number;
  readonly reasons: readonly FailReason[];
  /** Reason of a `notrun`. */
  readonly text?: string;
  /** Lines between this test and the next (diff, fsck messages), cleaned, bounded. */
  readonly detail: readonly string[];
}

/** The output of one run of fstests' `check`, as far as it says something. */
export interface CheckOutput {
  /** By name; a test that appears twice keeps its last line. */
  readonly tests: ReadonlyMap<string, TestLine>;
  readonly ran: readonly string[];
  readonly notRun: readonly string[];
  readonly failures: readonly string[];
  /** N of `Passed all N tests`. */
  readonly passedAll?: number;
  /** `Failed BAD of OF tests` */
  readonly failed?: { readonly bad: number; readonly of: number };
  readonly interrupted: boolean;
  /** `check` gave up before or between tests; its own words. */
  readonly fatal?: string;
  /** `FSTYP`, `PLATFORM`, `MKFS_OPTIONS`, `MOUNT_OPTIONS` as printed. */
  readonly header: Readonly<Record<string, string>>;
  /** Last lines that belong to nothing known, for messages. */
  readonly stray: readonly string[];
}

const MAX_TESTS = 5000;
const MAX_DETAIL = 100;
const MAX_STRAY = 10;
const TEST_LINE = /^([a-z0-9][a-z0-9_-]*\/[0-9]{3,5}(?:-[\w-]+)?)(?=\s|$)(.*)$/;
const HEADER = /^(FSTYP|PLATFORM|MKFS_OPTIONS|MOUNT_OPTIONS|SECTION)\s+-- ?(.*)$/;
/** Texts of `_fatal` in check, common/config and common/rc, and of the shell that could not start it. */
const FATAL =
  /^(?:check: failed to .*|common\/[a-z]+: .*|Group ".*" is empty or not defined\?|our local _\w+ routine \.\.\.|(?:\.\/)?check: .*(?:not found|No such file or directory|Permission denied|[Ss]yntax error).*|.*: (?:line \d+: )?\.\/check: No such file or directory)$/;
const FAIL_TEXTS: readonly (readonly [RegExp, FailReason])[] = [
  [/\[failed, exit status \d+\]/, 'exit-status'],
  [/- output mismatch/, 'output-mismatch'],
  [/_check_dmesg: something found in dmesg/, 'dmesg'],
  [
    /_check_\w+: filesystem on .* (?:is inconsistent|has dirty log)|filesystem on .* is inconsistent|_repair_\w+: failed/,
    'fsck',
  ],
  [/\[dumped core\]/, 'core'],
  [/_check_kmemleak/, 'kmemleak'],
  [/no qualified output/, 'no-golden-output'],
];

interface Draft {
  name: string;
  status: TestLine['status'];
  seconds?: number;
  exitStatus?: number;
  reasons: Set<FailReason>;
  text?: string;
  detail: string[];
}

/** Reads `check`'s output line by line, in bounded memory however much there is. */
export class CheckParser {
  private readonly tests = new Map<string, Draft>();
  private current: Draft | undefined;
  private readonly header: Record<string, string> = {};
  private ran: string[] = [];
  private notRun: string[] = [];
  private failures: string[] = [];
  private passedAll: number | undefined;
  private failed: { bad: number; of: number } | undefined;
  private interrupted = false;
  private fatal: string | undefined;
  private readonly stray: string[] = [];

  /** One line of standard output, without its newline. */
  push(raw: string): void {
    const line = cleanLine(raw);
    if (line === '') return;
    if (this.summary(line)) return;
    const header = HEADER.exec(line);
    if (header?.[1]) {
      this.header[header[1]] = (header[2] ?? '').slice(0, 500);
      return;
    }
    const test = TEST_LINE.exec(line);
    if (test?.[1]) {
      this.begin(test[1], test[2] ?? '');
      return;
    }
    if (FATAL.test(line)) this.fatal ??= line;
    if (this.current) this.continueTest(line);
    else {
      this.stray.push(line);
      if (this.stray.length > MAX_STRAY) this.stray.shift();
    }
  }

  end(): CheckOutput {
    const tests = new Map<string, TestLine>();
    for (const [name, draft] of this.tests) tests.set(name, { ...draft, reasons: [...draft.reasons] });
    return {
      tests,
      ran: this.ran,
      notRun: this.notRun,
      failures: this.failures,
      passedAll: this.passedAll,
      failed: this.failed,
      interrupted: this.interrupted,
      fatal: this.fatal,
      header: this.header,
      stray: this.stray,
    };
  }

  /** A summary line at the beginning of a line; diffs and hints are indented, so they cannot be taken for one. */
  private summary(line: string): boolean {
    const list = /^(Ran|Not run|Failures): ?(.*)$/.exec(line);
    if (list) {
      const names = (list[2] ?? '')
        .split(/\s+/)
        .filter((name) => TEST_LINE.test(name))
        .slice(0, MAX_TESTS);
      if (list[1] === 'Ran') this.ran = names;
      else if (list[1] === 'Not run') this.notRun = names;
      else this.failures = names;
    } else if (/^Interrupted!$/.test(line)) {
      this.interrupted = true;
    } else {
      const passed = /^Passed all (\d{1,6}) tests$/.exec(line);
      const failed = /^Failed (\d{1,6}) of (\d{1,6}) tests$/.exec(line);
      if (passed) this.passedAll = Number(passed[1]);
      else if (failed) this.failed = { bad: Number(failed[1]), of: Number(failed[2]) };
      else return false;
    }
    this.current = undefined;
    return true;
  }

  private begin(name: string, rest: string): void {
    if (!this.tests.has(name) && this.tests.size >= MAX_TESTS) return;
    this.current = { name, status: 'unknown', reasons: new Set(), detail: [] };
    this.tests.set(name, this.current);
    // "generic/595  31s ...  28s": the time before the dots is the one of an earlier run.
    const text = rest.replace(/^\s+\d+s \.\.\.(?: |$)/, ' ').replace(/\[\d\d:\d\d:\d\d\]/g, '');
    const notrun = /\[not run\]\s*(.*)$/.exec(text);
    const time = /^\s+(\d+)s$/.exec(text);
    if (notrun) {
      this.current.status = 'notrun';
      this.current.text = (notrun[1] ?? '').replace(/^.*? -- /, '');
    } else if (/^\s+\[expunged\]$/.test(text)) this.current.status = 'expunged';
    else if (/ - (?:no such test\?|unknown test, ignored)$/.test(text)) this.current.status = 'missing';
    else if (time) {
      this.current.status = 'pass';
      this.current.seconds = Number(time[1]);
    } else this.findFailure(this.current, text, true);
  }

  private continueTest(line: string): void {
    const draft = this.current;
    if (!draft) return;
    if (draft.detail.length < MAX_DETAIL) draft.detail.push(line.slice(0, 500));
    // Only what check itself prints at the line's beginning counts; a diff of the test's output is indented.
    if (!/^\s/.test(line)) this.findFailure(draft, line, false);
  }

  private findFailure(draft: Draft, text: string, first: boolean): void {
    for (const [pattern, reason] of FAIL_TEXTS) {
      // "- output mismatch" may follow other text; the fsck message may begin its own line.
      if (!pattern.test(text)) continue;
      draft.reasons.add(reason);
      draft.status = 'fail';
    }
    const exit = /\[failed, exit status (\d{1,3})\]/.exec(text);
    if (first && exit) draft.exitStatus = Number(exit[1]);
  }
}

/** Parses a whole output; for tests and small logs. */
export function parseCheck(text: string): CheckOutput {
  const parser = new CheckParser();
  for (const line of text.split('\n')) parser.push(line);
  return parser.end();
}
