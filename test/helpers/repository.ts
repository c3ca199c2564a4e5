// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

/** The root of this repository. */
export const REPOSITORY_ROOT = path.resolve(import.meta.dirname, '../..');
