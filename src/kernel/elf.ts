// SPDX-License-Identifier: GPL-2.0-only
import { open, type FileHandle } from 'node:fs/promises';

import { InfraError } from '../core/errors.js';

const PT_NOTE = 4;
const NT_GNU_BUILD_ID = 3;
const ELF64_HEADER = 64;
const ELF64_PROGRAM_HEADER = 56;
/** A kernel's notes take a few hundred bytes; a larger segment is not one. */
const NOTE_LIMIT = 1024 * 1024;

/**
 * The GNU build id in ELF notes (elf(5): Notes; little endian): of a file's note segment, and of what a running kernel
 * shows in /sys/kernel/notes. Both sides of the proof that a guest runs its artifact are read here. Hex; undefined when
 * there is none, or the notes are cut short. The last note may lack its padding.
 */
export function buildIdOfNotes(notes: Buffer): string | undefined {
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const descSize = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const name = at + 12;
    const desc = name + align4(nameSize);
    const end = desc + descSize;
    if (end > notes.length) return undefined;
    if (type === NT_GNU_BUILD_ID && notes.toString('latin1', name, name + nameSize) === 'GNU\0') {
      return notes.toString('hex', desc, end);
    }
    at = align4(end);
  }
  return undefined;
}

function align4(size: number): number {
  // Not by bits: sizes from a file may exceed 31 of them.
  return Math.ceil(size / 4) * 4;
}

/**
 * Build id of a 64-bit little-endian ELF file: what the running kernel shows in /sys/kernel/notes.
 * @throws InfraError when the file is no such ELF file or has no build id.
 */
export async function readBuildId(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const id = await findBuildId(handle);
    if (id) return id;
  } finally {
    await handle.close();
  }
  throw new InfraError({
    subject: file,
    observed: 'no ELF file with a GNU build id',
    next: 'remove it and build again',
  });
}

async function findBuildId(handle: FileHandle): Promise<string | undefined> {
  const header = await readAt(handle, 0, ELF64_HEADER);
  // e_ident: magic, ELFCLASS64, ELFDATA2LSB
  if (!header || header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
  const offset = Number(header.readBigUInt64LE(32));
  const entrySize = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (entrySize < ELF64_PROGRAM_HEADER) return undefined;
  for (let index = 0; index < count; index++) {
    const entry = await readAt(handle, offset + index * entrySize, ELF64_PROGRAM_HEADER);
    if (!entry || entry.readUInt32LE(0) !== PT_NOTE) continue;
    const size = Number(entry.readBigUInt64LE(32));
    if (size > NOTE_LIMIT) continue;
    const notes = await readAt(handle, Number(entry.readBigUInt64LE(8)), size);
    const id = notes && buildIdOfNotes(notes);
    if (id) return id;
  }
  return undefined;
}

async function readAt(handle: FileHandle, position: number, size: number): Promise<Buffer | undefined> {
  const buffer = Buffer.alloc(size);
  const { bytesRead } = await handle.read(buffer, 0, size, position);
  return bytesRead === size ? buffer : undefined;
}
