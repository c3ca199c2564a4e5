// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { Command } from '@oclif/core';
import { describe, expect, it } from 'vitest';

const COMMANDS = path.resolve('src/commands');

type CommandClass = typeof Command & { baseFlags?: Record<string, unknown> };

async function load(file: string): Promise<CommandClass> {
  const module = (await import(path.join(COMMANDS, file))) as { default: CommandClass };
  return module.default;
}

const files = readdirSync(COMMANDS, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.ts'))
  .sort();

/** One line an argument or flag: everything that a script of a user can depend on. */
function describeCommand(name: string, command: CommandClass): string {
  const args = Object.entries(command.args ?? {}).map(
    ([key, arg]) =>
      `  ${key.toUpperCase()}${arg.required ? '' : ' (optional)'}${command.strict === false ? ' ...' : ''}`,
  );
  const flags = Object.entries({ ...command.baseFlags, ...command.flags } as typeof command.flags)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, flag]) => {
      const parts = [`  --${key}`];
      if (flag.char) parts.push(`-${flag.char}`);
      parts.push(flag.type === 'boolean' ? 'boolean' : (flag.helpValue?.toString() ?? 'value'));
      if (flag.type === 'boolean' && flag.allowNo) parts.push('--no-');
      if (flag.type === 'option' && flag.multiple) parts.push('multiple');
      if (flag.type === 'option' && flag.options) parts.push(`{${flag.options.join('|')}}`);
      if (flag.required) parts.push('required');
      if (flag.default !== undefined && typeof flag.default !== 'function')
        parts.push(`default=${String(flag.default)}`);
      return parts.join(' ');
    });
  return [`${name}${command.enableJsonFlag ? ' [--json]' : ''}`, ...args, ...flags].join('\n');
}

describe('the public surface', () => {
  it('is as it was last agreed on', async () => {
    const described = await Promise.all(
      files.map(async (file) =>
        describeCommand(file.replace(/\.ts$/, '').replaceAll('/', ' '), await load(file)),
      ),
    );
    expect(described.join('\n\n')).toMatchSnapshot();
  });

  it.each(files)('%s has a summary and examples', async (file) => {
    const command = await load(file);
    expect(command.summary).toBeTruthy();
    expect(command.examples?.length).toBeGreaterThan(0);
  });
});
