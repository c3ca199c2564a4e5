// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';

import { InfraError } from '../core/errors.js';

const SITE = 'https://cdn.kernel.org/pub/linux/kernel';

export function tarballUrl(version: string): string {
  return `${SITE}/v${version.split('.')[0]}.x/linux-${version}.tar.xz`;
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    throw new InfraError({
      subject: url,
      observed: `cannot be reached${cause?.code ? `: ${cause.code}` : ''}`,
      next: "`enokey tree` without --from takes Debian's package; or give a kernel of your own with --tree DIR",
      cause: error,
    });
  }
  if (!response.ok)
    throw new InfraError({ subject: url, observed: `HTTP ${response.status}`, expected: 'HTTP 200' });
  return response;
}

/**
 * The release's tarball as it comes. Its SHA-256 is compared with the site's list at the end, so that the stream
 * fails instead of ending when it is not what was published.
 */
export async function* downloadTarball(
  version: string,
  signal: AbortSignal,
  onProgress: (fraction: number | undefined, bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const url = tarballUrl(version);
  const name = url.slice(url.lastIndexOf('/') + 1);
  const list = await (await get(url.replace(name, 'sha256sums.asc'), signal)).text();
  const wanted = list
    .split('\n')
    .find((line) => line.endsWith(`  ${name}`))
    ?.split(' ')[0];
  if (wanted === undefined) throw new InfraError({ subject: url, observed: 'not in sha256sums.asc' });
  const response = await get(url, signal);
  const total = Number(response.headers.get('content-length')) || undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.length;
    onProgress(total === undefined ? undefined : bytes / total, bytes);
    yield chunk;
  }
  const found = hash.digest('hex');
  if (found !== wanted)
    throw new InfraError({ subject: url, observed: `SHA-256 ${found}`, expected: wanted });
}
