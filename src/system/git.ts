// SPDX-License-Identifier: GPL-2.0-only
import { simpleGit, type SimpleGit } from 'simple-git';

import { InfraError, InterruptedError, UserError } from '../core/errors.js';
import { run, type RunOptions, type RunResult } from './process.js';

/** Who commits what enokey applies: always the same, so that the same patches give the same commit ids. */
export const COMMITTER = { name: 'enokey', email: 'enokey@localhost' } as const;

export interface GitOptions {
  /** A repository that enokey made: the user's and the system's configuration is left out. */
  readonly owned: boolean;
  /** Set together with `gitDir` when the repository is not found from the folder. */
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
}

/** Set on every call, above any configuration of the user: nothing of his runs, signs, pages or asks. */
const NEUTRAL_CONFIG = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.pager=cat',
  'core.quotePath=false',
  'commit.gpgSign=false',
  'tag.gpgSign=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'advice.detachedHead=false',
  'fetch.recurseSubmodules=false',
  'color.ui=false',
];

/** In repositories of ours: files as they are, cheap compression, no second look at every file. */
const OWNED_CONFIG = [
  'safe.directory=*',
  'core.autocrlf=false',
  'core.compression=1',
  'core.looseCompression=1',
  'index.threads=true',
  'am.threeWay=false',
  'user.useConfigOnly=false',
  'uploadpack.allowAnySHA1InWant=true',
];

const FAILED = 'git-exit ';

function environment(options: GitOptions): Record<string, string> {
  // Whatever GIT_* the caller's shell (or a hook that runs us) has set would point git elsewhere.
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      !/^(GIT_|LC_|LANG|PREFIX$|(GIT_|SSH_)?ASKPASS$|PAGER$|EDITOR$|VISUAL$)/.test(entry[0]),
  );
  // A test, or a user who wants it, may have neutralised the configuration from outside: that is kept.
  const global = options.owned ? '/dev/null' : process.env['GIT_CONFIG_GLOBAL'];
  const system = options.owned ? '/dev/null' : process.env['GIT_CONFIG_SYSTEM'];
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    // `git status` and friends would otherwise refresh and rewrite the user's index.
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_COMMITTER_NAME: COMMITTER.name,
    GIT_COMMITTER_EMAIL: COMMITTER.email,
    ...(options.owned ? { GIT_CONFIG_NOSYSTEM: '1', GIT_ATTR_NOSYSTEM: '1' } : {}),
    ...(global === undefined ? {} : { GIT_CONFIG_GLOBAL: global }),
    ...(system === undefined ? {} : { GIT_CONFIG_SYSTEM: system }),
    ...(options.gitDir === undefined ? {} : { GIT_DIR: options.gitDir }),
    ...(options.workTree === undefined ? {} : { GIT_WORK_TREE: options.workTree }),
    ...options.env,
  };
}

/** git said no. `stderr` is the whole of what it said; the message is its first line. */
export class GitError extends Error {
  constructor(
    readonly args: readonly string[],
    readonly stderr: string,
    readonly exitCode: number | undefined,
  ) {
    const said =
      stderr.split('\n').find((line) => /^(fatal|error):/.test(line)) ?? stderr.trim().split('\n')[0] ?? '';
    super(`git ${args[0] ?? ''}: ${said.replace(/^(fatal|error): /, '') || `exit ${exitCode}`}`);
    this.name = 'GitError';
  }
}

/** One repository, with a neutral environment. Short questions go through simple-git, long work through `run`. */
export class Git {
  private readonly simple: SimpleGit;
  private readonly env: Record<string, string>;
  private readonly config: readonly string[];

  constructor(
    /** Absolute; must exist. */
    readonly folder: string,
    private readonly options: GitOptions,
  ) {
    this.env = environment(options);
    this.config = options.owned ? [...NEUTRAL_CONFIG, ...OWNED_CONFIG] : NEUTRAL_CONFIG;
    this.simple = simpleGit({
      baseDir: folder,
      config: [...this.config],
      abort: options.signal,
      allowEnvironment: Object.keys(this.env),
      // These guard against settings from strangers; the ones above are constants.
      unsafe: {
        allowUnsafeConfigPaths: true,
        allowUnsafeFsMonitor: true,
        allowUnsafeHooksPath: true,
        allowUnsafePager: true,
        allowUnsafePack: true,
        allowUnsafeConfigEnvCount: true,
        allowUnsafeProtocolOverride: true,
        allowUnsafeSshCommand: true,
        allowUnsafeExec: true,
        allowUnsafeTemplateDir: true,
      },
      // By default a non-zero exit with an empty stderr (rev-parse --quiet) would count as success.
      errors: (error, { exitCode, stdErr }) =>
        exitCode === 0 ? error : Buffer.concat([Buffer.from(`${FAILED}${exitCode}\n`), ...stdErr]),
    }).env(this.env);
  }

  /** stdout without the final newline. @throws GitError */
  async read(...args: string[]): Promise<string> {
    try {
      return (await this.simple.raw(args)).replace(/\n$/, '');
    } catch (error) {
      if (this.options.signal?.aborted) throw new InterruptedError();
      const { message } = error as Error;
      if (/ENOENT/.test(message) && /spawn/.test(message)) throw gitMissing(error);
      // Of what `errors` gives only the text survives.
      const [, code, stderr] = /^git-exit (\d+)\n([^]*)$/.exec(message) ?? [undefined, undefined, message];
      throw new GitError(args, stderr ?? '', code === undefined ? undefined : Number(code));
    }
  }

  /** Like `read`, but what git refuses is undefined. */
  async ask(...args: string[]): Promise<string | undefined> {
    try {
      return await this.read(...args);
    } catch (error) {
      if (error instanceof GitError) return undefined;
      throw error;
    }
  }

  /** Long or talkative work; ends with its whole group when the signal fires. Never throws for a non-zero exit. */
  async run(
    args: readonly string[],
    options: Omit<RunOptions, 'cwd' | 'env' | 'cleanEnv' | 'signal'> = {},
  ): Promise<RunResult> {
    return run('git', [...this.config.flatMap((setting) => ['-c', setting]), ...args], {
      ...options,
      cwd: this.folder,
      env: this.env,
      cleanEnv: true,
      signal: this.options.signal,
    });
  }

  /** Like `run`. @throws InfraError for a non-zero exit, which here is never the user's doing. */
  async must(args: readonly string[], options: Parameters<Git['run']>[1] = {}): Promise<RunResult> {
    const result = await this.run(args, options);
    if (result.exitCode === 0) return result;
    const last = result.stderr.trim().split('\n').slice(-2).join(' | ');
    throw new InfraError({
      subject: `git ${args[0] ?? ''} in ${this.folder}`,
      observed: last || (result.signal ? `ended by ${result.signal}` : `exit ${result.exitCode}`),
      log: options.logFile,
    });
  }

  /** Full id of a commit-ish, or undefined. */
  async commit(ref: string): Promise<string | undefined> {
    return this.ask('rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`);
  }

  /** The same arguments and environment for a process that is fed through a pipe. */
  command(...args: string[]): { args: string[]; env: Record<string, string>; cwd: string } {
    return {
      args: [...this.config.flatMap((setting) => ['-c', setting]), ...args],
      env: this.env,
      cwd: this.folder,
    };
  }
}

function gitMissing(cause: unknown): UserError {
  return new UserError({
    subject: 'git',
    observed: 'not found',
    next: '`enokey doctor` names the package',
    cause,
  });
}
