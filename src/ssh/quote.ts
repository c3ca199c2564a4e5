// SPDX-License-Identifier: GPL-2.0-only
import { BugError } from '../core/errors.js';
import { shellWord } from '../core/shell-word.js';

/** One word for a POSIX shell. SSH passes a command as one string to the login shell: argv has to be quoted. */
export function quoteWord(word: string): string {
  if (word.includes('\0'))
    throw new BugError({ subject: 'command for a guest', observed: 'an argument holds a NUL byte' });
  return shellWord(word);
}

/**
 * argv as a command line. The environment is set by env(1), since sshd accepts none from a client unless told to.
 * `exec` saves the shell that would stay behind and makes signals reach the command.
 */
export function quoteCommand(argv: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  if (argv.length === 0) throw new BugError({ subject: 'command for a guest', observed: 'is empty' });
  const settings = Object.entries(env).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new BugError({
        subject: 'command for a guest',
        observed: `${JSON.stringify(name)} is no variable's name`,
      });
    }
    return `${name}=${quoteWord(value)}`;
  });
  const words = argv.map(quoteWord);
  // A first word with `=` would be taken for an assignment by env(1); such a program has no place in a guest.
  return ['exec', ...(settings.length > 0 ? ['env', ...settings] : []), ...words].join(' ');
}
