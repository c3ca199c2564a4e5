// SPDX-License-Identifier: GPL-2.0-only
import { setTimeout as delay } from 'node:timers/promises';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Settings, Variant } from '../../src/config/types.js';
import type { Context } from '../../src/core/context.js';
import type { EnokeyEvent } from '../../src/core/events.js';
import { UserError } from '../../src/core/errors.js';
import type { Guest, GuestSpec, Incident, SupervisedResult } from '../../src/guest/types.js';
import type { Artifact } from '../../src/kernel/types.js';
import { expectedCases } from '../../src/probe/arguments.js';
import { PROBE_TESTS, probeOf } from '../../src/probe/catalog.js';
import { ProbeDriver } from '../../src/run/probe-driver.js';
import type { BootAttempt, Machinery } from '../../src/run/needs.js';
import { jsonLines, probeCase, probeResult, probeStart } from './probe-output.js';

const CALM = { marks: [], reports: [], consoleFrom: 0, consoleTo: 0 } as const;

/** What a fake guest answers; a field left out is "as a healthy kernel would". */
export interface FakeBehaviour {
  /** How long a probe takes, ms. */
  readonly probeMs?: number;
  /** Called for every probe; what it returns replaces the healthy answer. */
  readonly probe?: (call: ProbeCall) => Partial<SupervisedResult> | string | undefined;
  readonly fsck?: (call: { readonly guest: string }) => { exitCode: number; stdout: string } | undefined;
  /** Called for every command but the probe; what it returns replaces the healthy answer. */
  readonly command?: (call: {
    readonly argv: readonly string[];
    readonly guest: string;
  }) => Partial<SupervisedResult> | undefined;
  /** Called whenever it is asked what the kernel has reported since the last piece of work. */
  readonly unread?: (call: UnreadCall) => Partial<Incident> | undefined;
  /** A kernel with kmemleak; called for every probe, it returns what leaked. */
  readonly leaked?: () => string;
  /** Called for every boot with its number (from 1); what it returns is how the boot fails. */
  readonly boot?: (number: number, spec: GuestSpec) => BootAttempt | undefined;
  readonly artifactKey?: string;
  readonly imageContents?: string;
}

export interface ProbeCall {
  readonly probe: string;
  readonly filesystem: string;
  readonly seed: number;
  readonly guest: string;
  /** How many probes ran in this process before. */
  readonly number: number;
}

export interface UnreadCall {
  readonly guest: string;
  readonly stopped: boolean;
  /** How many probes ran in this process before. */
  readonly probes: number;
}

export interface FakeMachinery extends Machinery {
  readonly boots: GuestSpec[];
  readonly calls: ProbeCall[];
  readonly stopped: string[];
}

function option(argv: readonly string[], name: string): string {
  return argv[argv.indexOf(name) + 1] ?? '';
}

export function healthyAnswer(probe: string, seed: number): string {
  const test = `probe/${probe}`;
  // Races alone may meet both, refused attempts and acknowledged ones.
  const counts = probe.startsWith('race-') ? {} : { attempts: 100, refused: 0, errno: {} };
  const cases = expectedCases(test, probeOf(test).always ?? []).map((name) => probeCase({ name, ...counts }));
  return jsonLines(probeStart(probe, seed), probeResult(probe, seed, cases));
}

function ended(
  exitCode: number | undefined,
  stdout = '',
  extra: Partial<SupervisedResult> = {},
): SupervisedResult {
  const exec = { exitCode, signal: undefined, stdout, stderr: '', timedOut: false, durationMs: 1 };
  return { ...CALM, exec, ...extra };
}

/** Machinery whose guests answer at once, so that whole matrices run in milliseconds. */
export function fakeMachinery(behaviour: FakeBehaviour = {}): FakeMachinery {
  const boots: GuestSpec[] = [];
  const calls: ProbeCall[] = [];
  const stopped: string[] = [];

  const guestOf = (spec: GuestSpec): Guest => {
    let alive = true;
    return {
      bootTimes: { initMs: 1, readyMs: 2, sshMs: 3, firstCommandMs: 4 },
      name: spec.name,
      spec,
      console: path.join(spec.workDir, 'console.log'),
      diskPath: (name) => path.join(spec.workDir, `${name}.img`),
      get alive() {
        return alive;
      },
      async exec(argv, options) {
        const program = path.posix.basename(argv[0] ?? '');
        const other =
          program === 'enokey-probe' ? undefined : behaviour.command?.({ argv, guest: spec.name });
        if (other) {
          if (other.outcome) alive = false;
          return ended(0, '', other);
        }
        if (/fsck|e2fsck|btrfs/.test(program)) {
          const answer = behaviour.fsck?.({ guest: spec.name });
          return ended(answer?.exitCode ?? 0, answer?.stdout ?? '');
        }
        if (program === 'sh' && behaviour.leaked) {
          if (argv[2]?.includes('echo able')) return ended(0, 'able\n');
          const report = behaviour.leaked();
          return ended(0, report, report ? { marks: ['warn'] } : {});
        }
        if (program !== 'enokey-probe') return ended(0);
        const call: ProbeCall = {
          probe: argv[1] ?? '',
          filesystem: option(argv, '--fstype'),
          seed: Number(option(argv, '--seed')),
          guest: spec.name,
          number: calls.length,
        };
        calls.push(call);
        if (behaviour.probeMs) await delay(behaviour.probeMs);
        const said = behaviour.probe?.(call) ?? healthyAnswer(call.probe, call.seed);
        const result = typeof said === 'string' ? ended(0, said) : ended(0, '', said);
        if (result.outcome) alive = false;
        if (options.stdoutFile) await writeFile(options.stdoutFile, result.exec?.stdout ?? '');
        return result;
      },
      async unread() {
        const said = behaviour.unread?.({ guest: spec.name, stopped: !alive, probes: calls.length });
        if (said?.outcome) alive = false;
        return { ...CALM, ...said };
      },
      push: async () => undefined,
      pull: async () => undefined,
      async stop() {
        alive = false;
        stopped.push(spec.name);
      },
    };
  };

  return {
    boots,
    calls,
    stopped,
    version: '0.0.0-test',
    kernel: async (_context, variant): Promise<Artifact> => ({
      key: behaviour.artifactKey ?? `key-${variant.name}`,
      dir: '/nowhere',
      variant: variant.name,
      profile: 'default',
      treeId: `tree-${variant.name}`,
      commit: 'v7.3.4-test',
      release: `7.3.4-${variant.name}`,
      buildId: 'abcd',
      compiler: 'cc (fake) 1.0',
      configHash: 'cafe',
      vmlinux: '/nowhere/vmlinux',
      config: '/nowhere/.config',
      systemMap: '/nowhere/System.map',
      log: '/nowhere/log',
    }),
    image: async () => ({
      key: 'image-key',
      dir: '/nowhere',
      rootfs: '/nowhere/root',
      contents: behaviour.imageContents ?? 'image-contents',
      packages: { 'btrfs-progs': '7.3' },
    }),
    accelerator: async () => ({ name: 'tcg', reason: 'kvm: a fake', timeScale: 10 }),
    qemuVersion: async () => 'QEMU emulator version 7.2',
    drivers: async () => [
      new ProbeDriver({ key: 'probe-key', dir: '/nowhere', file: '/nowhere/enokey-probe' }, '/nowhere'),
    ],
    async boot(_context, spec) {
      boots.push(spec);
      return behaviour.boot?.(boots.length, spec) ?? { guest: guestOf(spec) };
    },
    host: () => ({ cpu: 'Fake CPU', cpus: 2, memoryMiB: 4096, kernel: '6.1.0' }),
    hostLoad: () => 0.25,
    now: () => new Date(),
    monotonic: () => performance.now(),
  };
}

/** A variant without patches whose contract says that nothing is lost. */
export function fakeVariant(name: string, changes: Partial<Variant> = {}): Variant {
  return {
    name,
    base: { name: 'v7.3', version: '7.3' },
    title: name,
    series: [],
    mountOptions: {},
    kernelArgs: [],
    filesystems: ['ext4', 'f2fs'],
    contract: { all: Object.fromEntries(PROBE_TESTS.map((test) => [test, { outcome: ['pass'] as const }])) },
    definedIn: '/nowhere/variants.yaml',
    ...changes,
  };
}

export function fakeSettings(variants: readonly Variant[]): Settings {
  return {
    probeArgs: {},
    variantNames: variants.map((variant) => variant.name),
    resolve: async (name: string) => {
      const found = variants.find((variant) => variant.name === name);
      if (!found) throw new UserError({ subject: `variant ${name}`, observed: 'unknown' });
      return found;
    },
  } as unknown as Settings;
}

export function fakeContext(
  root: string,
  signal: AbortSignal = new AbortController().signal,
): Context & { events: EnokeyEvent[] } {
  const events: EnokeyEvent[] = [];
  return {
    dirs: {
      cache: `${root}/cache`,
      build: `${root}/cache/build`,
      state: `${root}/state`,
      runtime: `${root}/run`,
      shipped: root,
    },
    emit: (event) => void events.push(event),
    signal,
    jobs: 1,
    events,
  };
}
