// SPDX-License-Identifier: GPL-2.0-only
import { InfraError } from '../core/errors.js';
import { openPipe } from '../system/pipe.js';
import { TarReader } from './tar.js';

const DECOMPRESSORS: Readonly<Record<string, readonly string[]>> = {
  xz: ['xz', '-dc'],
  gz: ['gzip', '-dc'],
  zst: ['zstd', '-dcq'],
  bz2: ['bzip2', '-dc'],
};

/** Decompresses a stream of `name` (its suffix says how) with the usual program. */
export async function* decompress(
  name: string,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const [program, ...args] = DECOMPRESSORS[/\.tar\.(\w+)$/.exec(name)?.[1] ?? ''] ?? [];
  if (program === undefined)
    throw new InfraError({ subject: name, observed: 'an unknown kind of archive', expected: '.tar.xz' });
  const pipe = openPipe(program, args, { signal, input, subject: `${program} of ${name}` });
  try {
    yield* pipe.stdout;
    await pipe.done;
  } finally {
    pipe.stop();
  }
}

/**
 * The kernel's source out of a linux-source package, as a tar stream: the package holds it as an archive of its
 * own below usr/src. Nothing is unpacked to the disk.
 * @throws InfraError when the package is damaged or has no such archive.
 */
export async function* openSourcePackage(file: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const deb = openPipe('dpkg-deb', ['--fsys-tarfile', file], { signal, subject: file });
  try {
    const tar = new TarReader(deb.stdout);
    for (;;) {
      const member = await tar.next().catch(async (error: unknown) => {
        // dpkg-deb's own words are better than "the archive ends in the middle".
        await deb.done;
        throw error;
      });
      if (!member) {
        throw new InfraError({
          subject: file,
          observed: 'no kernel source in it',
          expected: 'usr/src/linux-source-*.tar.xz',
        });
      }
      const name = /^(?:\.\/)?usr\/src\/(linux-source-[^/]+\.tar\.\w+)$/.exec(member.path)?.[1];
      if (name !== undefined && member.type === 'file') {
        yield* decompress(name, tar.body(), signal);
        // The package's own checksums come last, after members that nobody needs.
        await tar.drain();
        await deb.done;
        return;
      }
    }
  } finally {
    deb.stop();
  }
}
