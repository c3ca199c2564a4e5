// SPDX-License-Identifier: GPL-2.0-only
import { availableParallelism } from 'node:os';

import { Command, Errors, Flags, type Interfaces } from '@oclif/core';

import type { Settings } from '../config/types.js';
import { EnokeyError, InterruptedError } from '../core/errors.js';
import type { Context } from '../core/context.js';
import { runCleanups } from '../system/cleanup.js';
import { plainView, terminalView, type ProgressView, type Terminal } from './progress.js';
import { makeDirs, resolveDirs } from './paths.js';
import { failureText, failureJson } from './failure.js';
import { watchSignals } from './signals.js';

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<
  (typeof EnokeyCommand)['baseFlags'] & T['flags']
>;
export type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>;

/**
 * Base of every command. A command parses, calls one service with a plain options object, prints the result
 * with `this.log` (stdout, silent with --json) and returns it. Its `execute` returns a plain object, which is
 * what --json prints; setting `process.exitCode` to 1 says that a result is not as its contract promises.
 */
export abstract class EnokeyCommand<T extends typeof Command> extends Command {
  static override enableJsonFlag = true;
  static override baseFlags = {
    config: Flags.string({
      helpGroup: 'GLOBAL',
      helpValue: 'FILE',
      summary: 'enokey.yaml to use instead of the nearest one above the current folder',
    }),
  };

  protected flags!: FlagsOf<T>;
  protected args!: ArgsOf<T>;
  /** All arguments in order, for commands that are not `strict`. */
  protected rest: readonly string[] = [];
  protected context!: Context;
  /** The user's enokey.yaml together with the shipped variants.yaml. Loaded before `execute`. */
  protected settings!: Settings;
  private view: ProgressView | undefined;

  protected abstract execute(): Promise<object | void>;

  /** Ends the drawing of progress: from here on the terminal belongs to a shell in a guest. */
  protected async quiet(): Promise<void> {
    await this.view?.close();
  }

  /** Commands that need no configuration (and must work beside a broken one) override this with false. */
  protected readonly needsSettings: boolean = true;

  override async run(): Promise<unknown> {
    const terminal: Terminal = {
      isTTY: Boolean(process.stderr.isTTY) && !process.env['CI'],
      write: (text) => void process.stderr.write(text),
      now: () => performance.now(),
    };
    this.view = terminal.isTTY ? terminalView(terminal) : plainView(terminal);
    const view = this.view;
    const { signal, stop } = watchSignals((name) =>
      view.show({ type: 'note', level: 'warn', text: `${name}: stopping; once more to stop at once` }),
    );
    try {
      const parsed = await this.parse({
        args: this.ctor.args,
        baseFlags: (super.ctor as typeof EnokeyCommand).baseFlags,
        enableJsonFlag: this.ctor.enableJsonFlag,
        flags: this.ctor.flags,
        strict: this.ctor.strict,
      });
      this.flags = parsed.flags as FlagsOf<T>;
      this.args = parsed.args as ArgsOf<T>;
      this.rest = parsed.argv as string[];
      const packageRoot = this.config.root;
      const cwd = process.cwd();
      if (this.needsSettings) {
        const { loadSettings } = await import('../config/index.js');
        this.settings = await loadSettings({
          cwd,
          file: parsed.flags['config'],
          packageRoot,
        });
      }
      const dirs = resolveDirs({
        cwd,
        env: process.env,
        packageRoot,
        cache: this.settings?.cache,
        state: this.settings?.state,
      });
      makeDirs(dirs);
      this.context = {
        dirs,
        signal,
        emit: (event) => view.show(event),
        jobs: this.settings?.jobs ?? availableParallelism(),
      };
      const result = await this.execute();
      // A service that returned although it was told to stop has not done what was asked for.
      if (signal.aborted) throw new InterruptedError();
      return result ?? {};
    } finally {
      await view.close();
      const failures = await runCleanups();
      for (const failure of failures) this.logToStderr(`warning: while cleaning up: ${String(failure)}`);
      stop();
    }
  }

  /**
   * One line for what the user can mend, with the next step; a stack only for bugs. oclif takes the exit code
   * from `oclif.exit` in text mode and from `exitCode` with --json, so both are set.
   */
  protected override async catch(error: Interfaces.CommandError): Promise<unknown> {
    const exit = exitCodeOf(error);
    process.exitCode = exit;
    if (this.jsonEnabled()) {
      this.logJson(failureJson(error, exit));
    } else {
      process.stderr.write(failureText(error, exit, this.config.bin));
    }
    return undefined;
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof EnokeyError) return error.exitCode;
  // Flags and arguments that oclif itself refuses.
  if (error instanceof Errors.CLIError) return error.oclif?.exit === 0 ? 0 : 2;
  return 70;
}
