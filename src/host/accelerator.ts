// SPDX-License-Identifier: GPL-2.0-only
import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

import type { Context } from '../core/context.js';
import { InfraError, UserError } from '../core/errors.js';
import { diskError, readIfThere, writeAtomic } from '../system/files.js';
import { bootId } from '../system/identity.js';
import { withLock } from '../system/lock.js';
import { findExecutable, fingerprint } from './find.js';
import { probeAccelerator, QEMU, type ProbeResult } from './probe.js';
import type { Accelerator, AcceleratorName } from './types.js';

/** Raise it when the payload or the way of probing changes: cached verdicts of older ones are then ignored. */
const PROBE_VERSION = 1;
/** A CPU that runs the payload needs 0.1 s. Both together, with QEMU's grace, stay below the 10 s of the fallback. */
const KVM_DEADLINE_MS = 4000;
const TCG_DEADLINE_MS = 8000;

/**
 * Deadlines under TCG relative to KVM. Boot to the first SSH command is 4-8 times slower here, work that forks
 * much about 20 times; a deadline must not fire on the latter.
 */
export const TIME_SCALE: Readonly<Record<AcceleratorName, number>> = { kvm: 1, tcg: 15 };

const verdictSchema = z.object({
  key: z.string(),
  kvm: z.object({ usable: z.boolean(), detail: z.string(), durationMs: z.number() }),
  tcg: z.object({ usable: z.boolean(), detail: z.string(), durationMs: z.number() }),
  probedAt: z.string(),
});

/** What both accelerators did, when it was found out, and whether that was just now. */
export type AcceleratorVerdict = z.infer<typeof verdictSchema> & { readonly fresh: boolean };

/** What a verdict depends on: this boot of the host, QEMU, the probe, and who may open /dev/kvm. */
async function verdictKey(qemu: string): Promise<string> {
  const kvm = await stat('/dev/kvm').then(
    ({ ino, rdev, mode, uid, gid }) => [ino, rdev, mode, uid, gid].join(':'),
    () => 'absent',
  );
  return [PROBE_VERSION, bootId(), await fingerprint(qemu), kvm, process.getuid?.() ?? -1].join(' ');
}

async function probeKvm(workDir: string, signal: AbortSignal): Promise<ProbeResult> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const detail =
      code === 'ENOENT' ? 'no /dev/kvm' : '/dev/kvm may not be opened by this user (join the group kvm)';
    return { usable: false, detail, durationMs: 0 };
  }
  return probeAccelerator('kvm', { workDir, deadlineMs: KVM_DEADLINE_MS, signal });
}

function parseVerdict(text: string | undefined, key: string): AcceleratorVerdict | undefined {
  if (!text) return undefined;
  try {
    const verdict = verdictSchema.parse(JSON.parse(text));
    return verdict.key === key ? { ...verdict, fresh: false } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The verdict on both accelerators: from the cache when it was found during this boot of the host with this QEMU,
 * otherwise by booting the payload. `again` probes in any case.
 * @throws UserError when QEMU is not installed.
 */
export async function probeAccelerators(context: Context, again = false): Promise<AcceleratorVerdict> {
  const qemu = await findExecutable(QEMU);
  if (!qemu) {
    throw new UserError({
      subject: QEMU,
      observed: 'not installed',
      next: '`enokey doctor` prints the package command that mends it',
    });
  }
  const dir = path.join(context.dirs.cache, 'host');
  const file = path.join(dir, 'accelerator.json');
  const key = await verdictKey(qemu);
  const cached = again ? undefined : parseVerdict(await readIfThere(file), key);
  if (cached) return cached;

  await mkdir(dir, { recursive: true }).catch((error: unknown) => {
    throw diskError(error, dir);
  });
  return withLock(
    path.join(dir, 'accelerator.lock'),
    'probing the accelerators',
    context.signal,
    async () => {
      // Another command may have probed while this one waited.
      const meanwhile = again ? undefined : parseVerdict(await readIfThere(file), key);
      if (meanwhile) return meanwhile;
      const kvm = await probeKvm(dir, context.signal);
      const tcg = await probeAccelerator('tcg', {
        workDir: dir,
        deadlineMs: TCG_DEADLINE_MS,
        signal: context.signal,
      });
      const verdict = { key, kvm, tcg, probedAt: new Date().toISOString() };
      await writeAtomic(file, `${JSON.stringify(verdict, undefined, 2)}\n`);
      return { ...verdict, fresh: true };
    },
  );
}

/**
 * How guests run here: KVM when it really boots something, TCG otherwise, with the reason emitted as a note the
 * first time during a boot of the host.
 * @throws UserError when `forced` names one that does not work here; InfraError when neither works.
 */
export async function selectAccelerator(context: Context, forced?: AcceleratorName): Promise<Accelerator> {
  const verdict = await probeAccelerators(context);
  if (forced) {
    if (!verdict[forced].usable) {
      throw new UserError({
        subject: `--accel ${forced}`,
        observed: verdict[forced].detail,
        next: 'leave --accel out to use what works here',
      });
    }
    return { name: forced, reason: `${forced}: asked for`, timeScale: TIME_SCALE[forced] };
  }
  if (verdict.kvm.usable)
    return { name: 'kvm', reason: `kvm: ${verdict.kvm.detail}`, timeScale: TIME_SCALE.kvm };
  const reason = `kvm: ${verdict.kvm.detail}`;
  if (!verdict.tcg.usable) {
    throw new InfraError({
      subject: QEMU,
      observed: `neither accelerator boots a payload; ${reason}; tcg: ${verdict.tcg.detail}`,
      next: '`enokey doctor` probes them again',
    });
  }
  if (verdict.fresh) {
    context.emit({
      type: 'note',
      level: 'warn',
      text: `guests run on TCG, about 10 times slower: ${reason}`,
    });
  }
  return { name: 'tcg', reason, timeScale: TIME_SCALE.tcg };
}
