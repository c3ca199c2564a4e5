// SPDX-License-Identifier: GPL-2.0-only
import { buildIdOfNotes } from '../kernel/elf.js';
import { sshExec, type SshConnection } from '../ssh/index.js';

/** Which kernel runs, as the guest tells it. Undefined when it did not answer in full. */
export async function readKernelIdentity(
  connection: SshConnection,
  limitMs: number,
): Promise<{ release: string; buildId: string | undefined } | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  // One shell, no fork: the kernel's own words, not those of a uname(1) in the image.
  const result = await sshExec(connection, {
    command: 'read -r release < /proc/sys/kernel/osrelease; echo "$release"; exec cat /sys/kernel/notes',
    limitMs,
    onStdout: (chunk) => {
      size += chunk.length;
      if (size <= 64 * 1024) chunks.push(chunk);
    },
  });
  if (result.exitCode !== 0) return undefined;
  const output = Buffer.concat(chunks);
  const newline = output.indexOf(0x0a);
  if (newline < 0) return undefined;
  return {
    release: output.subarray(0, newline).toString('utf8'),
    buildId: buildIdOfNotes(output.subarray(newline + 1)),
  };
}
