// SPDX-License-Identifier: GPL-2.0-only
import { shellWord } from '../core/shell-word.js';
import type { RunPlan } from '../run/types.js';
import { clean, fold } from './text.js';

/** What a run has of enokey.yaml, a line each, for the header. */
export function configHeader({ fromConfig }: RunPlan): string[] {
  if (!fromConfig) return [];
  return [
    ...fromConfig.variants.map(({ name, title }) => `variant ${name} (${title})`),
    ...Object.entries(fromConfig.probeArgs).map(([test, args]) => `${test} ${args.map(shellWord).join(' ')}`),
  ].map((text) => `From enokey.yaml: ${clean(text)}`);
}

/**
 * A YAML list between its brackets after a key. Broken only between its items, so that it can be pasted: no line is
 * longer than `width`, unless its only item is.
 */
function yamlList(key: string, items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = `${key}:`;
  for (const [index, item] of items.entries()) {
    const last = index === items.length - 1;
    // A string of JSON is one of YAML.
    const piece = `${index === 0 ? '[' : ''}${JSON.stringify(item)}${last ? ']' : ','}`;
    if (line.length + 1 + piece.length > width) {
      lines.push(line);
      line = `${' '.repeat(key.search(/\S/) + 4)}${piece}`;
    } else line += ` ${piece}`;
  }
  return [...lines, line];
}

/** The parts of enokey.yaml without which the command that repeats a run is not enough; nothing for none. */
export function configToRepeat({ fromConfig, leftOut }: RunPlan, width: number): string[] {
  const lines: string[] = [];
  const args = Object.entries(fromConfig?.probeArgs ?? {});
  if (args.length > 0) {
    lines.push('with this in enokey.yaml, for which it has no flags:', '    probeArgs:');
    for (const [test, items] of args) lines.push(...yamlList(`      ${test}`, items, width));
  }
  const names = fromConfig?.variants.map(({ name }) => name) ?? [];
  if (names.length > 0) {
    lines.push(
      ...fold(
        `Defined in enokey.yaml, and no part of enokey: ${names.join(', ')}. What was measured of them is listed above ("kernel").`,
        width,
        0,
      ),
    );
  }
  if (leftOut?.some((one) => one.cells > 0)) {
    lines.push(
      ...fold(
        'The exclusions of enokey.yaml, listed above ("Left out:"), belong to the command: it has no flags for them.',
        width,
        0,
      ),
    );
  }
  return lines;
}
