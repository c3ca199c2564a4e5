// SPDX-License-Identifier: GPL-2.0-only
import { cleanLine } from '../core/clean-text.js';

/** What stopped a build, in words that name what is missing. */
export interface BuildFailure {
  readonly observed: string;
  readonly next?: string;
}

interface Rule {
  readonly pattern: RegExp;
  readonly say: (match: RegExpExecArray) => BuildFailure;
}

const inPackages = 'vm/fstests/packages.txt names what the build root has';

/** In the order of how much they explain: the first rule that matches any line wins. */
const RULES: readonly Rule[] = [
  {
    pattern: /fatal error: ([\w./+-]+\.h): No such file or directory/,
    say: ([, header]) => ({
      observed: `the header ${header} is missing`,
      next: `${inPackages}; apt-file search ${header} tells the package`,
    }),
  },
  {
    pattern: /FATAL ERROR: cannot find a valid <([\w./-]+)> header file/,
    say: ([, header]) => ({ observed: `the header ${header} is missing`, next: inPackages }),
  },
  {
    pattern: /FATAL ERROR: (.*(?:not find|could not|required|missing).*)/i,
    say: ([, text]) => ({ observed: text ?? '', next: inPackages }),
  },
  {
    pattern: /cannot find -l([\w+.-]+)/,
    say: ([, library]) => ({ observed: `the library ${library} is missing`, next: inPackages }),
  },
  {
    pattern:
      /(?:sh|bash|make(?:\[\d+\])?|env|gmake)(?:: line \d+|: \d+)?: (?:\d+: )?([\w./+-]+): (?:command )?not found/,
    say: ([, tool]) => ({ observed: `the tool ${tool} is missing`, next: inPackages }),
  },
  {
    pattern: /make(?:\[\d+\])?: ([\w./+-]+): No such file or directory/,
    say: ([, tool]) => ({ observed: `the tool ${tool} is missing`, next: inPackages }),
  },
  { pattern: /configure: error: (.*)/, say: ([, text]) => ({ observed: `configure: ${text}` }) },
  {
    pattern: /^build\.sh: (\S+) is missing/m,
    say: ([, tool]) => ({
      observed: `the tool ${tool} is missing on this host`,
      next: '`enokey doctor` names the package',
    }),
  },
  {
    pattern: /newuidmap|newgidmap|\/etc\/sub[ug]id|unshare: .*(?:not permitted|failed)/,
    say: ([text]) => ({
      observed: `no user namespace with a range of ids: ${text}`,
      next: 'install uidmap and give the user a range in /etc/subuid and /etc/subgid, or run as root',
    }),
  },
  {
    pattern: /E: Unable to locate package (\S+)/,
    say: ([, name]) => ({ observed: `the archive has no package ${name}`, next: inPackages }),
  },
  {
    pattern: /^E: (?:Failed to fetch|The repository|Could not|Temporary failure|Some index files).*/m,
    say: ([text]) => ({ observed: text, next: 'check the network and the apt sources of this host' }),
  },
  {
    pattern: /No space left on device/,
    say: () => ({ observed: 'no space left in memory (tmpfs) or on the disk' }),
  },
  { pattern: /^\S+:\d+(?::\d+)?: error: .*/m, say: ([text]) => ({ observed: text }) },
  { pattern: /^(?:E|error): .*/m, say: ([text]) => ({ observed: text }) },
  { pattern: /^make(?:\[\d+\])?: \*\*\* .*/m, say: ([text]) => ({ observed: text }) },
];

/** Why a build failed, from its log (the last megabyte is enough). */
export function explainBuildLog(log: string): BuildFailure {
  const text = log.split('\n').map(cleanLine).join('\n');
  for (const { pattern, say } of RULES) {
    const match = pattern.exec(text);
    if (match) return say(match);
  }
  const last = text.trim().split('\n').at(-1);
  return { observed: last ? `ended with: ${last}` : 'ended without a word' };
}
