// SPDX-License-Identifier: GPL-2.0-only
import { MARKS, type Mark } from '../core/outcome.js';
import { splitStamp } from './console-lines.js';
import { HARMLESS, PATTERNS, REFINES, type Pattern, type ReportKind } from './patterns.js';

/** One report of the kernel: from `cut here`, `=====` or its first line to its end. */
export interface Report {
  readonly kind: ReportKind;
  /** Its first telling line, without timestamp: `BUG: KASAN: slab-use-after-free in f+0x12/0x30`. */
  readonly title: string;
  /** As on the console, timestamps included. */
  readonly lines: readonly string[];
  /** False when its end was not seen (the guest died first, or it is too long). */
  readonly complete: boolean;
}

export interface ScanResult {
  readonly marks: readonly Mark[];
  /** The first report that ends a guest. */
  readonly fatal?: Report;
  readonly reports: readonly Report[];
}

/** A report longer than this is cut: a guest must not fill the host's memory. */
const MAX_REPORT_LINES = 600;
/** Reports kept in whole; later ones only mark. */
const MAX_REPORTS = 50;

const CUT = /^-{6,}\[ cut here \]-{6,}/;
const RULE = /^={20,}$/;
/** `Kernel Offset` is the last line of a panic that resets at once (panic=-1). */
const END = /^(?:-{3}\[ end (?:trace|Kernel panic)|Kernel Offset: )/;
/** Lines that belong to a report after its call trace has ended. */
const TAIL =
  /^(?:\s|<\/?(?:TASK|IRQ|NMI|SOFTIRQ)>|Modules linked in|CR2|RIP|RSP|R[A-D0-9][A-Z0-9]{1,2}:|FS:|CS:|CR0|DR[0-7]|PKRU|Code:|Call Trace|Rebooting in|irq event stamp|(?:hard|soft)irqs last|note: |Sending NMI|NMI backtrace|CPU: |Tainted|Hardware name|Showing all locks|INFO: lockdep|\d+ locks? held|#\d+:|$)/;

const isFatal = (kind: ReportKind): boolean => kind === 'panic' || kind === 'oops';

interface OpenReport {
  kind: ReportKind;
  title: string;
  lines: string[];
  /** Opened by a rule of `=`, as KASAN's are: closed by the next one. */
  ruled: boolean;
  /** The call trace has ended (`</TASK>`). */
  traced: boolean;
}

/**
 * Finds kernel reports in a console log, line by line. No I/O and no clock: the same lines always give the same
 * reports, however they were cut into calls.
 */
export class ConsoleScanner {
  private readonly done: Report[] = [];
  private readonly seen = new Set<Mark>();
  private firstFatal: Report | undefined;
  private current: OpenReport | undefined;
  /** `cut here` or a rule, whose meaning the next line tells. */
  private preface: string[] = [];

  /** A report has begun and its end has not been seen. */
  get open(): boolean {
    return this.current !== undefined;
  }

  /** A report that ends the guest has begun. */
  get fatal(): boolean {
    return this.firstFatal !== undefined || (this.current !== undefined && isFatal(this.current.kind));
  }

  push(line: string): void {
    const { stamped, text } = splitStamp(line);
    if (CUT.test(text) || (RULE.test(text) && !this.current?.ruled)) {
      // A rule right after lockdep's title belongs to it; a cut or rule after a trace starts the next report.
      if (this.current && !CUT.test(text) && !this.current.traced) return this.append(line, text);
      this.close(this.current?.traced ?? false);
      this.preface = [line];
      return;
    }
    const pattern = HARMLESS.some((harmless) => harmless.test(text)) ? undefined : match(text, stamped);
    // `refcount_t: underflow` right after `cut here` is that block's text, not a report of its own.
    const withinCut = !pattern?.block && CUT.test(splitStamp(this.preface[0] ?? '').text);
    if (pattern && !withinCut && this.begins(pattern)) {
      this.close(true);
      this.begin(pattern, line, text);
      return;
    }
    if (this.current) return this.append(line, text);
    // What stands between `cut here` and the telling line (`refcount_t: underflow`) is kept, a few lines at most.
    if (this.preface.length > 0 && this.preface.length < 6) this.preface.push(line);
    else this.preface = [];
  }

  /** Nothing follows: closes what is open. */
  end(): ScanResult {
    this.close(false);
    return this.result();
  }

  /** What was found so far; reports still open are left out. */
  result(): ScanResult {
    return {
      marks: MARKS.filter((mark) => this.seen.has(mark)),
      ...(this.firstFatal ? { fatal: this.firstFatal } : {}),
      reports: [...this.done],
    };
  }

  private begins(pattern: Pattern): boolean {
    if (!this.current) return true;
    if (isFatal(pattern.kind) && !isFatal(this.current.kind)) return true;
    if (pattern.kind === 'panic') return this.current.kind !== 'panic';
    return this.current.traced && pattern.block;
  }

  private begin(pattern: Pattern, line: string, text: string): void {
    const ruled =
      this.preface.length === 1 &&
      RULE.test(splitStamp(this.preface[0] ?? '').text) &&
      pattern.kind === 'kasan';
    const refined = REFINES.find((refine) =>
      [text, ...this.preface.map((before) => splitStamp(before).text)].some((candidate) =>
        refine.text.test(candidate),
      ),
    );
    this.current = {
      kind: pattern.kind === 'warn' && refined ? refined.kind : pattern.kind,
      title: text,
      lines: [...this.preface, line],
      ruled,
      traced: false,
    };
    this.preface = [];
    if (!pattern.block) this.close(true);
  }

  private append(line: string, text: string): void {
    const report = this.current;
    if (!report) return;
    if (report.traced && !report.ruled && !END.test(text) && !TAIL.test(text)) {
      this.close(true);
      return this.push(line);
    }
    report.lines.push(line);
    if (report.kind === 'warn') {
      report.kind = REFINES.find((refine) => refine.text.test(text))?.kind ?? report.kind;
    }
    if (/^\s*<\/(?:TASK|IRQ)>/.test(text)) report.traced = true;
    if (END.test(text) || (report.ruled && RULE.test(text))) this.close(true);
    else if (report.lines.length >= MAX_REPORT_LINES) this.close(false);
  }

  private close(complete: boolean): void {
    const report = this.current;
    if (!report) return;
    this.current = undefined;
    const { kind, title, lines } = report;
    const finished: Report = { kind, title, lines, complete };
    if (kind === 'panic' || kind === 'oops') this.firstFatal ??= finished;
    else this.seen.add(kind);
    if (this.done.length < MAX_REPORTS || isFatal(kind)) this.done.push(finished);
  }
}

/** Only the kernel can raise an alarm, so most patterns want a timestamp; a torn oops may have lost its own. */
function match(text: string, stamped: boolean): Pattern | undefined {
  const pattern = PATTERNS.find(({ start }) => start.test(text));
  return pattern && (stamped || isFatal(pattern.kind)) ? pattern : undefined;
}

/** All reports of a finished console log. */
export function scanConsole(lines: Iterable<string>): ScanResult {
  const scanner = new ConsoleScanner();
  for (const line of lines) scanner.push(line);
  return scanner.end();
}
