// SPDX-License-Identifier: GPL-2.0-only
import { readdir } from 'node:fs/promises';
import path from 'node:path';

import { readIfThere } from './files.js';

/** One `deb` entry of sources.list(5), in either format. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Option -> value under its deb822 name, lower case: `signed-by`, `trusted`, `check-valid-until`. */
  readonly options: Readonly<Record<string, string>>;
}

/** The deb822 format: stanzas of `Field: value`, continuation lines indented, comment lines dropped. */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of text.replace(/^#.*\n?/gm, '').split(/\n[ \t]*\n/)) {
    const fields: Record<string, string> = {};
    let last = '';
    for (const line of stanza.split('\n')) {
      const [, name, value] = /^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$/.exec(line) ?? [];
      if (name !== undefined) {
        last = name.toLowerCase();
        fields[last] = value ?? '';
      } else if (/^[ \t]/.test(line) && last) {
        fields[last] += `\n${line}`;
      }
    }
    const { types = '', uris = '', suites = '', components = '', enabled = 'yes', ...options } = fields;
    if (!words(types).includes('deb') || /^(no|false|0|off|without|disable)$/i.test(enabled.trim())) continue;
    sources.push({ uris: words(uris), suites: words(suites), components: words(components), options });
  }
  return sources;
}

/** The one-line format: `deb [arch=amd64 signed-by=FILE] URI SUITE COMPONENT...`. */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const [, bracket = '', uri, suite, components = ''] =
      /^[ \t]*deb[ \t]+(?:\[([^\]]*)\][ \t]+)?(\S+)[ \t]+(\S+)([^#]*)/.exec(line) ?? [];
    if (uri === undefined || suite === undefined) continue;
    const options = words(bracket).map((option): [string, string] => {
      const [name = '', value = ''] = option.split(/\+?=(.*)/s);
      return [name.toLowerCase(), value.replaceAll(',', ' ')];
    });
    sources.push({
      uris: [uri],
      suites: [suite],
      components: words(components),
      options: Object.fromEntries(options),
    });
  }
  return sources;
}

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/** All entries of a host, in apt's order. @param etc `/etc/apt` */
export async function readAptSources(etc: string): Promise<AptSource[]> {
  const sources = parseOneLine((await readIfThere(path.join(etc, 'sources.list'))) ?? '');
  const parts = path.join(etc, 'sources.list.d');
  for (const name of (await readdir(parts).catch(() => [])).sort()) {
    const read = name.endsWith('.sources') ? parseDeb822 : name.endsWith('.list') ? parseOneLine : undefined;
    if (read) sources.push(...read((await readIfThere(path.join(parts, name))) ?? ''));
  }
  return sources;
}

const DEBIAN_SUITE =
  /^(?:bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)(?:-updates|-backports|-proposed-updates)?$/;

/**
 * The host's entry for the Debian archive itself. Third parties use Debian's suite names too, so that an entry
 * signed by Debian's keyring wins; one without a keyring counts when its path ends with `/debian`. Security,
 * CD-ROM and other archives never count.
 */
export function debianArchive(sources: readonly AptSource[]): AptSource | undefined {
  const candidates = sources.filter(
    ({ uris, suites, components }) =>
      uris.some((uri) => !/^cdrom:/.test(uri) && !/security/.test(uri)) &&
      suites.some((suite) => DEBIAN_SUITE.test(suite)) &&
      components.includes('main'),
  );
  return (
    candidates.find(({ options }) => /debian-archive/.test(options['signed-by'] ?? '')) ??
    candidates.find(
      ({ options, uris }) =>
        options['signed-by'] === undefined && uris.some((uri) => /\/debian\/?$/.test(uri)),
    )
  );
}

/** The same archive and trust with other suites, as a deb822 file. */
export function withSuites(source: AptSource, suites: readonly string[]): string {
  const kept = ['signed-by', 'trusted', 'check-valid-until', 'allow-insecure'];
  const lines = [
    'Types: deb',
    `URIs: ${source.uris.filter((uri) => !/^cdrom:/.test(uri)).join(' ')}`,
    `Suites: ${suites.join(' ')}`,
    'Components: main',
    ...kept.flatMap((name) => {
      const value = source.options[name];
      return value === undefined ? [] : [`${name.replace(/(^|-)[a-z]/g, (c) => c.toUpperCase())}: ${value}`];
    }),
  ];
  return `${lines.join('\n')}\n`;
}
