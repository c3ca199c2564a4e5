// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';
import { probeOf, type Effort } from './catalog.js';

/** Where things are in the guest. */
export const GUEST_PROBE = '/run/enokey/enokey-probe';
export const GUEST_MOUNT = '/run/enokey/scratch';
/** On tmpfs: acknowledgements must not be logged to the file system under test. */
export const GUEST_ACKS = '/run/enokey/acks';

/** The disk that probes use, see DiskSpec. Sparse on the host. */
export const SCRATCH_DISK = { name: 'scratch', sizeBytes: 2 * 1024 ** 3 } as const;

/** What the runner decides by itself; a user's argument must not contradict it. */
const OURS = [
  '--mount',
  '--device',
  '--fstype',
  '--mount-options',
  '--ack-dir',
  '--seed',
  '--deadline',
  '--progress',
  '--help',
];

/** Options that say when a race ends: the probe takes at most one of them. */
const BOUNDS = ['--cycles', '--attempts', '--acks', '--seconds'];

function optionNames(args: readonly string[]): string[] {
  return args.filter((arg) => arg.startsWith('-')).map((arg) => arg.split('=', 1)[0] ?? arg);
}

/**
 * The arguments of a probe that go into the plan: those of the effort, then the user's. A bound of the user's
 * takes the place of ours.
 * @throws UserError for an argument that the runner sets itself.
 */
export function planArguments(
  test: string,
  effort: Effort,
  extra: readonly string[] = [],
): readonly string[] {
  const { args, always = [] } = probeOf(test);
  const named = optionNames(extra);
  const ours = named.find((name) => OURS.includes(name));
  if (ours)
    throw new UserError({ subject: `arguments of ${test}`, observed: `${ours} is set by enokey itself` });
  const bound = named.some((name) => BOUNDS.includes(name)) ? [] : args[effort];
  return [...always, ...bound, ...extra];
}

export interface ProbeInvocation {
  /** `probe/NAME` */
  readonly test: string;
  readonly device: string;
  readonly filesystem: string;
  readonly mountOptions?: string;
  /** 0 .. 2^53 - 1 */
  readonly seed: number;
  readonly deadlineSeconds: number;
  /** From the plan. */
  readonly args: readonly string[];
}

/** argv of the probe in the guest. */
export function probeArgv(invocation: ProbeInvocation): readonly string[] {
  const { name } = probeOf(invocation.test);
  return [
    GUEST_PROBE,
    name,
    ...['--device', invocation.device],
    ...['--fstype', invocation.filesystem],
    ...['--mount', GUEST_MOUNT],
    ...(invocation.mountOptions ? ['--mount-options', invocation.mountOptions] : []),
    ...['--ack-dir', GUEST_ACKS],
    ...['--seed', String(invocation.seed)],
    ...['--deadline', String(invocation.deadlineSeconds)],
    '--progress',
    ...invocation.args,
  ];
}

/** Cases that these arguments make a probe report: `--gap none,fsync` chooses those of open-fd. */
export function expectedCases(test: string, args: readonly string[]): readonly string[] {
  const probe = probeOf(test);
  const at = args.lastIndexOf('--gap');
  const joined = [...args].reverse().find((arg) => arg.startsWith('--gap='));
  const gaps = joined ? joined.slice('--gap='.length) : at >= 0 ? args[at + 1] : undefined;
  if (gaps === undefined) return probe.defaultCases;
  const asked = gaps.split(',').map((gap) => `gap=${gap}`);
  return probe.cases.filter((name) => asked.includes(name));
}
