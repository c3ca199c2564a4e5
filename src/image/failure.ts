// SPDX-License-Identifier: GPL-2.0-only
import { InfraError, UserError } from '../core/errors.js';

/** What a failed build.sh means for the user. Pure. */
export function imageFailure(
  output: string,
  exitCode: number | undefined,
  folder: string,
  log: string,
): Error {
  const lines = output.split('\n').map((line) => line.trim());
  const own = lines.find((line) => line.startsWith('build.sh: '))?.slice('build.sh: '.length);
  if (exitCode === 2 && own) {
    return new UserError({
      subject: 'vm/image/build.sh',
      observed: own,
      next: '`enokey doctor` names the package that brings it',
      log,
    });
  }
  if (lines.some((line) => /No space left on device|Disk quota exceeded/.test(line))) {
    return new InfraError({
      subject: folder,
      observed: 'no space left: the image needs 1 GiB there, and 2 GiB of memory while it is made',
      next: 'free space or memory, or point ENOKEY_CACHE at another disk',
      log,
    });
  }
  const offline = lines.find((line) =>
    /Could not resolve|Temporary failure resolving|Could not connect|Connection (?:timed out|refused)|Unable to connect/.test(
      line,
    ),
  );
  if (offline) {
    return new InfraError({
      subject: 'guest image',
      observed: `the Debian archive cannot be reached: ${offline.replace(/^[EWI]: /, '')}`,
      next: "needs the archive that this host's apt uses, once",
      log,
    });
  }
  const error =
    lines.find((line) => /^E: /.test(line)) ??
    lines.findLast((line) => line !== '' && !line.startsWith('I: ')) ??
    `exit ${exitCode ?? 'by a signal'}`;
  return new InfraError({
    subject: 'guest image',
    observed: error.replace(/^E: /, ''),
    next: 'read the log',
    log,
  });
}
