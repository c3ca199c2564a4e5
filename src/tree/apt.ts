// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { InfraError, UserError } from '../core/errors.js';
import type { Context } from '../core/context.js';
import { debianArchive, readAptSources, withSuites } from '../system/apt-sources.js';
import { diskError } from '../system/files.js';
import { run, type RunResult } from '../system/process.js';

export interface DownloadedPackage {
  /** The .deb, absolute. */
  readonly file: string;
  /** `7.3.4-1~bpo13+1` */
  readonly version: string;
}

/**
 * Suites that may carry a kernel newer than the host's release, tried one after the other: an index is 0.5 MB for
 * the first and 10 MB for the second.
 */
const SUITES = ['trixie-backports', 'sid'];

/** Exit 69 for the network and the disk: trying again later may help. */
function aptFailed(what: string, result: RunResult, dir: string): Error {
  const text = `${result.stdout}\n${result.stderr}`;
  if (/No space left|not enough free space|Disk quota/i.test(text)) {
    return diskError(Object.assign(new Error(text), { code: 'ENOSPC' }), dir, '200 MiB') as Error;
  }
  const said = text.split('\n').filter((line) => /^[EW]: /.test(line));
  const first = (said.find((line) => line.startsWith('E:')) ?? said[0] ?? '').slice(3);
  const offline =
    /Could not resolve|Temporary failure|Could not connect|Network is unreachable|timed out/i.test(text);
  return new InfraError({
    subject: what,
    observed: first || (result.signal ? `ended by ${result.signal}` : `exit ${result.exitCode}`),
    next: offline
      ? 'needs the Debian archive once; or give a kernel of your own with --tree DIR'
      : 'or give a kernel of your own with --tree DIR',
  });
}

/**
 * Downloads a binary package of Debian, with apt's signature checks and without touching the host's apt: lists,
 * cache, sources and status are in a folder of ours, and hooks of the host's configuration do not run. The archive
 * and the proxy are those that the host uses. Works as an ordinary user.
 * @param folder where the package ends up; `*.deb` of it that are there already are used without the network
 */
export async function downloadPackage(
  context: Context,
  name: string,
  folder: string,
  options: { etc?: string; onProgress?: (detail: string, fraction?: number) => void } = {},
): Promise<DownloadedPackage> {
  const there = await findPackage(folder, name);
  if (there) return there;
  const source = debianArchive(await readAptSources(options.etc ?? '/etc/apt'));
  if (!source) {
    throw new UserError({
      subject: options.etc ?? '/etc/apt',
      observed: `no Debian archive among the sources, so ${name} cannot be fetched`,
      expected: 'an entry for Debian with the component main',
      next: 'give a kernel of your own with --tree DIR',
    });
  }
  const work = path.join(folder, 'work');
  await rm(work, { recursive: true, force: true });
  try {
    const apt = await isolatedApt(context, work);
    const seen: string[] = [];
    for (const suite of SUITES) {
      options.onProgress?.(`reading the package index of ${suite}`);
      await writeFile(path.join(work, 'debian.sources'), withSuites(source, [suite]));
      const update = await apt('apt-get', ['update', '--error-on=any', '-q']);
      if (update.exitCode !== 0) throw aptFailed(`apt-get update (${suite})`, update, folder);
      const policy = await apt('apt-cache', ['madison', name]);
      if (/\S+\s*\|\s*\S+/.test(policy.stdout)) {
        return await download(apt, name, folder, work, options.onProgress);
      }
      const list = await apt('apt-cache', ['search', '--names-only', '^linux-source-[0-9.]+$']);
      seen.push(...list.stdout.split('\n').flatMap((line) => /^(linux-source-\S+)/.exec(line)?.[1] ?? []));
    }
    throw new InfraError({
      subject: name,
      observed: `not in ${SUITES.join(' or ')} of the archive`,
      expected: seen.length > 0 ? `it beside ${[...new Set(seen)].sort().join(', ')}` : undefined,
      next: 'give a kernel of your own with --tree DIR',
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(
  apt: Apt,
  name: string,
  folder: string,
  work: string,
  onProgress?: (detail: string, fraction?: number) => void,
): Promise<DownloadedPackage> {
  const result = await apt(
    'apt-get',
    ['download', '-q', '-o', 'APT::Status-Fd=1', name],
    path.join(work, 'deb'),
    (line) => {
      // dlstatus:ITEM:PERCENT:TEXT, see apt's doc/progress-reporting
      const percent = /^dlstatus:[^:]*:([\d.]+):/.exec(line)?.[1];
      if (percent !== undefined)
        onProgress?.(`downloading, ${Math.floor(Number(percent))}%`, Number(percent) / 100);
    },
  );
  const file = (await readdir(path.join(work, 'deb'))).find((entry) => entry.endsWith('.deb'));
  if (result.exitCode !== 0 || file === undefined)
    throw aptFailed(`apt-get download ${name}`, result, folder);
  await rename(path.join(work, 'deb', file), path.join(folder, file));
  const found = await findPackage(folder, name);
  if (!found)
    throw new InfraError({
      subject: file,
      observed: 'not named as a package',
      expected: `${name}_VERSION_all.deb`,
    });
  return found;
}

async function findPackage(folder: string, name: string): Promise<DownloadedPackage | undefined> {
  await mkdir(folder, { recursive: true });
  for (const file of (await readdir(folder)).sort().reverse()) {
    const [, found, version] = /^([^_]+)_([^_]+)_[^_]+\.deb$/.exec(file) ?? [];
    if (found === name && version !== undefined) {
      return { file: path.join(folder, file), version: decodeURIComponent(version) };
    }
  }
  return undefined;
}

type Apt = (
  tool: string,
  args: readonly string[],
  cwd?: string,
  onLine?: (line: string) => void,
) => Promise<RunResult>;

/** apt with everything that it reads and writes below `work`, but for the host's configuration (proxies). */
async function isolatedApt(context: Context, work: string): Promise<Apt> {
  for (const dir of ['lists/partial', 'cache/archives/partial', 'state', 'log', 'deb']) {
    await mkdir(path.join(work, dir), { recursive: true });
  }
  await writeFile(path.join(work, 'status'), '');
  const quote = (value: string): string => `"${value.replaceAll('"', '%22')}"`;
  const config = [
    ...['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'],
    ...['DPkg::Pre-Invoke', 'DPkg::Post-Invoke', 'DPkg::Pre-Install-Pkgs'],
  ].map((key) => `#clear ${key};`);
  const settings: Record<string, string> = {
    'Dir::State': path.join(work, 'state'),
    'Dir::State::Lists': path.join(work, 'lists'),
    'Dir::State::status': path.join(work, 'status'),
    'Dir::Cache': path.join(work, 'cache'),
    'Dir::Log': path.join(work, 'log'),
    'Dir::Etc::SourceList': path.join(work, 'debian.sources'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
  };
  // As root apt drops to the user _apt, who cannot write into our folders and would make apt warn.
  if (process.getuid?.() === 0) settings['APT::Sandbox::User'] = 'root';
  await writeFile(
    path.join(work, 'apt.conf'),
    [...config, ...Object.entries(settings).map(([key, value]) => `${key} ${quote(value)};`), ''].join('\n'),
  );
  return (tool, args, cwd = work, onLine) =>
    run(tool, ['-c', path.join(work, 'apt.conf'), ...args], {
      cwd,
      env: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      signal: context.signal,
      onLine,
    });
}
