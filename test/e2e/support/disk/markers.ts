// SPDX-License-Identifier: GPL-2.0-only
import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK = 4 * 1024 * 1024;

/** How often each marker is anywhere on a disk, also across the edges of the pieces in which it is read. */
export function countMarkers(file: string, markers: readonly Buffer[]): number[] {
  const counts = markers.map(() => 0);
  const overlap = Math.max(...markers.map((marker) => marker.length)) - 1;
  const buffer = Buffer.alloc(overlap + CHUNK);
  const fd = openSync(file, 'r');
  try {
    let kept = 0;
    for (;;) {
      const got = readSync(fd, buffer, kept, CHUNK, null);
      if (got === 0) return counts;
      const bytes = buffer.subarray(0, kept + got);
      markers.forEach((marker, index) => {
        for (let at = bytes.indexOf(marker); at !== -1; at = bytes.indexOf(marker, at + 1)) {
          // One that ends in what was kept has been counted before.
          if (at + marker.length > kept) counts[index]! += 1;
        }
      });
      const keep = Math.min(overlap, bytes.length);
      buffer.copyWithin(0, bytes.length - keep, bytes.length);
      kept = keep;
    }
  } finally {
    closeSync(fd);
  }
}
