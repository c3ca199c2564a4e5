// SPDX-License-Identifier: GPL-2.0-only
import { sshExec, type SshConnection } from '../ssh/index.js';

/**
 * The GNU build id in an ELF note section as /sys/kernel/notes gives it (little endian; namesz, descsz, type, name,
 * desc, each padded to 4 bytes: elf(5)). Type 3 of owner GNU is NT_GNU_BUILD_ID. Hex, or undefined.
 */
export function parseBuildId(notes: Buffer): string | undefined {
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const descSize = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const name = at + 12;
    const desc = name + Math.ceil(nameSize / 4) * 4;
    const end = desc + descSize;
    if (end > notes.length) return undefined;
    if (type === 3 && notes.subarray(name, name + nameSize).toString('latin1') === 'GNU\0') {
      return notes.subarray(desc, end).toString('hex');
    }
    at = desc + Math.ceil(descSize / 4) * 4;
  }
  return undefined;
}

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
    buildId: parseBuildId(output.subarray(newline + 1)),
  };
}
