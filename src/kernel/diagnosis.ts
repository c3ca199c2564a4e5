// SPDX-License-Identifier: GPL-2.0-only

/** Why a build failed, as far as its output says. */
export interface Diagnosis {
  /**
   * source: the compiler, linker or Kconfig refuses the code. disk: no space. memory: the compiler was killed.
   * stale: make or the linker cannot read what an earlier, interrupted build left.
   */
  readonly kind: 'source' | 'disk' | 'memory' | 'stale' | 'unknown';
  readonly message: string;
  /** Relative to the tree where it can be. */
  readonly file?: string;
  readonly line?: number;
}

// The escape byte is what is looked for.
const COLOUR = /\x1b\[[0-9;]*[A-Za-z]/g;
const COMPILER = /^(?<file>[^\s:][^:]*):(?<line>\d+):(?:\d+:)? (?:fatal )?error: (?<message>.+)$/i;
const ASSEMBLER = /^(?<file>[^\s:][^:]*):(?<line>\d+): Error: (?<message>.+)$/;
const KCONFIG = /^(?<file>\S*Kconfig[^:\s]*):(?<line>\d+): (?<message>(?!warning).+)$/;
const LINKER =
  /^(?:\S*ld(?:\.\w+)?: )?(?:(?<file>[^\s:]+\.o): )?.*(?<message>undefined reference to .+|multiple definition of .+)$/;
const MAKE = /^make(?:\[\d+\])?: \*\*\* (?:\[[^\]]*\] )?(?<message>.+)$/;
const DISK = /No space left on device|Disk quota exceeded/;
const MEMORY = /Killed signal terminated program|virtual memory exhausted|out of memory allocating/;
const STALE =
  /missing separator|multiple target patterns|file format not recognized|file truncated|malformed archive|error adding symbols|unterminated call to function|\.cmd:\d+: \*\*\*/;

/**
 * Finds what stopped a build: the first error in the order of the log, save that a full disk, a killed compiler
 * and unreadable leftovers explain whatever came with them.
 * @param text the build's whole output, both streams.
 * @param source absolute folder of the kernel tree, cut off the front of file names.
 */
export function diagnose(text: string, source: string): Diagnosis {
  let first: Diagnosis | undefined;
  let make: string | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.replace(COLOUR, '');
    if (DISK.test(line)) return { kind: 'disk', message: line.trim() };
    if (MEMORY.test(line)) return { kind: 'memory', message: line.trim() };
    const match = COMPILER.exec(line) ?? ASSEMBLER.exec(line) ?? KCONFIG.exec(line) ?? LINKER.exec(line);
    if (match?.groups && !first) {
      const { file, line: number, message = '' } = match.groups;
      first = {
        kind: 'source',
        message: message.trim(),
        file: file === undefined ? undefined : relative(file, source),
        line: number === undefined ? undefined : Number(number),
      };
    }
    if (STALE.test(line) && !first) first = { kind: 'stale', message: line.trim() };
    make ??= MAKE.exec(line)?.groups?.['message'];
  }
  return first ?? { kind: 'unknown', message: make ?? 'make failed and printed no error' };
}

function relative(file: string, source: string): string {
  return file.startsWith(`${source}/`)
    ? file.slice(source.length + 1)
    : file.replace(/^(?:\.\.?\/)+(?:src\/)?/, '');
}
