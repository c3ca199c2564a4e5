// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';

/** An fstests test as users and reports name it. */
export interface TestName {
  /** `generic/595`: what `check` is given and prints. */
  readonly id: string;
  /** Folder below fstests-overrides/ whose version of the test runs: `generic/595 [hard]`. */
  readonly override?: string;
  /** enokey's own port of the scenario: `generic/595 (port)`. */
  readonly port: boolean;
}

/** Tests that enokey has a port of. */
export const PORTED: readonly string[] = ['generic/595'];

/** With the id, `(port)` and the override as its groups. */
export const FSTESTS_NAME =
  /^([a-z0-9][a-z0-9_-]*\/[0-9]{3,5}(?:-[A-Za-z0-9-]+)?)(?: (\(port\))| \[([A-Za-z0-9][A-Za-z0-9._-]*)\])?$/;

/** The parts of a name, or undefined when it does not name an fstests test at all. */
export function parseTestName(name: string): TestName | undefined {
  const match = FSTESTS_NAME.exec(name);
  if (!match?.[1]) return undefined;
  return { id: match[1], port: match[2] !== undefined, ...(match[3] ? { override: match[3] } : {}) };
}

/** The inverse of `parseTestName`. */
export function formatTestName(name: TestName): string {
  if (name.port) return `${name.id} (port)`;
  return name.override ? `${name.id} [${name.override}]` : name.id;
}

/** True for names that this domain runs. */
export function isFstestsName(name: string): boolean {
  return parseTestName(name) !== undefined;
}

/** @throws UserError for a name that is none, or a port that does not exist. */
export function requireTestName(name: string): TestName {
  const parsed = parseTestName(name);
  if (!parsed) {
    throw new UserError({
      subject: `test ${JSON.stringify(name)}`,
      observed: 'not the name of an fstests test',
      expected: 'generic/595, generic/595 [VARIANT] or generic/595 (port)',
      next: '`enokey fstests --list encrypt` lists a group',
    });
  }
  if (parsed.port && !PORTED.includes(parsed.id)) {
    throw new UserError({
      subject: `test ${name}`,
      observed: 'enokey has no port of it',
      expected: PORTED.map((id) => `${id} (port)`).join(', '),
    });
  }
  return parsed;
}

/** A name as a folder or file name: `generic/595 [hard]` -> `generic-595-hard`. */
export function fileNameOf(name: TestName): string {
  const base = name.id.replace('/', '-');
  return name.port ? `${base}-port` : name.override ? `${base}-${name.override}` : base;
}

/** True when a test can be asked for on a file system: `ext4/024` belongs to ext4 alone. */
export function runsOn(test: string, filesystem: string): boolean {
  const folder = parseTestName(test)?.id.split('/')[0];
  return folder === undefined || folder === 'generic' || folder === filesystem;
}
