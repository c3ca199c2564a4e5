// SPDX-License-Identifier: GPL-2.0-only
// A program that boots a guest and holds it until it is killed: `hold-guest.ts SPEC-AS-JSON`, run by a test.
import { bootGuest } from '../../../src/guest/boot.js';
import type { GuestSpec } from '../../../src/guest/types.js';
import { e2eContext } from './context.js';

const spec = JSON.parse(process.argv[2] ?? '') as GuestSpec;
await bootGuest(e2eContext(), spec, { ephemeral: true });
process.stdout.write('booted\n');
setInterval(() => undefined, 1000);
