// SPDX-License-Identifier: GPL-2.0-only
import type { RunPlan } from '../run/types.js';
import { plural } from './text.js';

/** For people: `generic/595 on ext4 of stock: 20 cells (too slow)`. */
export function leftOutText(one: NonNullable<RunPlan['leftOut']>[number]): string {
  const what = [
    one.test ?? 'all tests',
    ...(one.filesystem === undefined ? [] : [`on ${one.filesystem}`]),
    ...(one.variant === undefined ? [] : [`of ${one.variant}`]),
  ].join(' ');
  return `${what}: ${plural(one.cells, 'cell')}${one.reason === undefined ? '' : ` (${one.reason})`}`;
}
