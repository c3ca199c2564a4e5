// SPDX-License-Identifier: GPL-2.0-only
export { bootGuest, type BootOptions } from './boot.js';
export { connectGuest, sshTarget, stopGuests } from './attach.js';
export { BootError } from './errors.js';
export { scanConsole, type Report, type ScanResult } from './console-scan.js';
export { limitsFor, type Limits } from './limits.js';
export { findGuest, listGuests, sweepGuests, type GuestRecord } from './registry.js';
export { RunningGuest } from './running.js';
export { UnsafeArchiveError } from './tar-read.js';
export { runTerminal, type TerminalStreams } from './terminal.js';
export type * from './types.js';
