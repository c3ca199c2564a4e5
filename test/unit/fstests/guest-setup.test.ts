// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { checkArgv } from '../../../src/fstests/guest-setup.js';

describe('checkArgv', () => {
  it('gives check a session keyring, which a command over SSH has not', () => {
    const argv = checkArgv('generic/576');
    expect(argv.slice(0, 3)).toEqual(['keyctl', 'session', '-']);
    expect(argv.slice(-2)).toEqual(['./check', 'generic/576']);
  });
});
