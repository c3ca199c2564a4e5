// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { ExecOptions, Guest, GuestSpec, Incident, SupervisedResult } from '../../src/guest/types.js';
import { TarExtractor } from '../../src/guest/tar-read.js';
import { GUEST } from '../../src/fstests/guest-setup.js';

const QUIET: Incident = { marks: [], reports: [], consoleFrom: 0, consoleTo: 0 };

export interface LocalGuestOptions {
  /** Folder that stands for the guest's disk. */
  readonly dir: string;
  /** What stands for /opt/fstests. */
  readonly tree: string;
  /** What supervision says once `check` has run. */
  readonly incident?: Partial<Incident>;
  /** A kernel with kmemleak; called for every scan after a test, it returns what leaked, or how the scan failed. */
  readonly leaked?: () => string | { readonly exitCode: number };
}

/**
 * A guest whose commands run on this host, for drivers: no mounts and no mkfs, but a real `check` program, real
 * output and the real unpacking of what it left behind.
 */
export class LocalGuest implements Guest {
  readonly name = 'local';
  readonly spec: GuestSpec;
  readonly console: string;
  readonly bootTimes = { initMs: 1, readyMs: 1, sshMs: 1, firstCommandMs: 1 };
  alive = true;
  /** Scripts that set a test up. */
  readonly scripts: string[] = [];

  constructor(private readonly options: LocalGuestOptions) {
    this.console = path.join(options.dir, 'console.log');
    mkdirSync(this.inside(GUEST.work), { recursive: true });
    writeFileSync(this.console, '');
    this.spec = {
      name: this.name,
      vmlinux: '',
      release: '',
      buildId: '',
      rootfs: '',
      disks: [],
      accelerator: { name: 'tcg', reason: 'test', timeScale: 1 },
      cpus: 1,
      memoryMiB: 1,
      kernelArgs: [],
      workDir: options.dir,
    };
  }

  /** A path of the guest on the host. */
  inside(text: string): string {
    return text
      .replaceAll(GUEST.tree, this.options.tree)
      .replaceAll(GUEST.work, path.join(this.options.dir, 'guest-work'));
  }

  diskPath(name: string): string {
    return path.join(this.options.dir, name);
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<SupervisedResult> {
    const script = argv[0] === 'sh' ? argv[2] : undefined;
    if (script?.includes('readlink')) return ended('/dev/vdc\n/dev/vdb\n');
    if (script?.includes('kmemleak')) {
      const { leaked } = this.options;
      if (script.includes('echo able')) return ended(leaked ? 'able\n' : '');
      const found = leaked?.() ?? '';
      return typeof found === 'string' ? ended(found) : ended('', found.exitCode);
    }
    if (script !== undefined) {
      this.scripts.push(script);
      const results = this.inside(/mkdir -p (\S+)/.exec(script)?.[1] ?? '');
      mkdirSync(results, { recursive: true });
      const config = Buffer.from(options.input ?? '').toString();
      // The folder of a test has a space in its name, which the guest's never have.
      const quoted = config.replace(
        /^(export \w+=)([^'\n]*)$/gm,
        (_, name: string, value: string) => `${name}'${this.inside(value)}'`,
      );
      writeFileSync(this.inside(`${GUEST.work}/local.config`), quoted);
      return ended('');
    }
    // Keyrings are the guest kernel's business, and keyctl need not be on this host.
    const own = argv[0] === 'keyctl' ? argv.slice(3) : argv;
    const result = await this.spawn(
      own.map((word) => this.inside(word)),
      options,
    );
    if (!argv.includes('./check')) return result;
    if (this.options.incident?.outcome) this.alive = false;
    return { ...result, ...this.options.incident };
  }

  private spawn(argv: readonly string[], options: ExecOptions): Promise<SupervisedResult> {
    return new Promise((resolve) => {
      const child = spawn(argv[0] ?? '', argv.slice(1), {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      const kept = { stdout: '', stderr: '' };
      const rest = { stdout: '', stderr: '' };
      let timedOut = false;
      const timer = setTimeout(() => {
        timedOut = true;
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      }, options.limitMs);
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].on('data', (chunk: Buffer) => {
          const text = chunk.toString('latin1');
          kept[stream] = (kept[stream] + text).slice(-(options.keepBytes ?? 8 * 1024 * 1024));
          const lines = (rest[stream] + text).split('\n');
          rest[stream] = (lines.pop() ?? '').slice(-1_000_000);
          for (const line of lines) options.onLine?.(line, stream);
        });
      }
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        for (const stream of ['stdout', 'stderr'] as const) {
          if (rest[stream]) options.onLine?.(rest[stream], stream);
        }
        resolve({
          ...QUIET,
          exec: {
            exitCode: code ?? undefined,
            signal: signal ?? undefined,
            stdout: kept.stdout,
            stderr: kept.stderr,
            timedOut,
            durationMs: 1,
          },
        });
      });
    });
  }

  async unread(): Promise<Incident> {
    return QUIET;
  }

  async push(): Promise<void> {
    throw new Error('not needed here');
  }

  async pull(from: string, to: string, limitBytes: number): Promise<void> {
    mkdirSync(to, { recursive: true });
    const extractor = new TarExtractor(to, limitBytes);
    const crafted = path.join(this.inside(from), 'answer-with.tar');
    const argv = existsSync(crafted)
      ? ['cat', crafted]
      : ['tar', '-c', '-f', '-', '--format=gnu', '--hard-dereference', '-C', this.inside(from), '.'];
    const tar = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      for await (const chunk of tar.stdout) await extractor.push(chunk as Buffer);
      await extractor.end();
    } finally {
      tar.kill('SIGKILL');
      await extractor.close();
    }
  }

  async stop(): Promise<void> {
    this.alive = false;
  }
}

function ended(stdout: string, exitCode = 0): SupervisedResult {
  return {
    ...QUIET,
    exec: { exitCode, signal: undefined, stdout, stderr: '', timedOut: false, durationMs: 1 },
  };
}
