// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

/**
 * The probes' JSON lines, schema 1: vm/probe/README.md, "Output". Objects may have more keys than these (a newer
 * probe under the same schema); none of these may be missing. The guest is untrusted, so that everything has a
 * bound and names are restricted to what may become a key or a word in a report.
 */
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const sentence = z.string().max(1024);
const word = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9=_.:+-]{0,63}$/);

function tally(limit: number) {
  return z
    .record(word, count)
    .refine((value) => Object.keys(value).length <= limit, `more than ${limit} keys`);
}

const errnos = z
  .record(word, tally(160))
  .refine((value) => Object.keys(value).length <= 64, 'more than 64 calls');

const totals = z.looseObject({
  attempts: count,
  acknowledged: count,
  refused: count,
  failed: count,
  lost: count,
  wrong: count,
});

export const CASE_VERDICTS = ['unsupported', 'kept', 'refused', 'allowed', 'inconclusive', 'lost'] as const;

const probeCase = z.looseObject({
  name: word,
  verdict: z.enum(CASE_VERDICTS),
  reason: sentence.nullable(),
  cycles: count,
  attempts: count,
  acknowledged: count,
  refused: count,
  failed: count,
  lost: count,
  wrong: count,
  unacknowledged_present: count,
  attempts_per_second: z.number().min(0),
  errno: errnos,
  sentinel_errno: errnos,
  verify_errno: errnos,
  removal: z.looseObject({
    count,
    failed: count,
    overlapped: count,
    refused_seen: count,
    status_flags: tally(16),
    latency_us: z.looseObject({ count, min: count, median: count, p99: count, max: count }),
  }),
  key_status: tally(16),
  positive_controls: z.array(z.looseObject({ name: word, happened: z.boolean(), detail: sentence })).max(16),
  lost_by_phase: tally(16),
  lost_examples: z.array(z.looseObject({})).max(64),
  observations: z
    .record(word, z.union([z.number(), z.boolean(), z.string().max(256)]))
    .refine((value) => Object.keys(value).length <= 64, 'more than 64 keys'),
});

const common = { schema: z.literal(1), probe: word };

export const startLine = z.looseObject({ type: z.literal('start'), ...common, seed: count });

export const progressLine = z.looseObject({
  type: z.literal('progress'),
  ...common,
  phase: sentence,
  elapsed_ms: count,
  attempts: count,
  acknowledged: count,
  removals: count,
});

export const resultLine = z.looseObject({
  type: z.literal('result'),
  ...common,
  seed: count,
  verdict: z.enum([...CASE_VERDICTS, 'error']),
  reason: sentence.nullable(),
  phase: sentence.nullable(),
  totals,
  durations_ms: z.looseObject({ setup: count, run: count, verify: count, total: count }),
  cases: z.array(probeCase).max(16),
});

export const errorLine = z.looseObject({
  type: z.literal('error'),
  ...common,
  phase: sentence.nullable(),
  subject: sentence.nullable(),
  observed: sentence.nullable(),
  expected: sentence.nullable(),
  next: sentence.nullable(),
  errno: word.nullable(),
});

export type ProbeCase = z.infer<typeof probeCase>;
export type ProbeResult = z.infer<typeof resultLine>;
export type ProbeError = z.infer<typeof errorLine>;
