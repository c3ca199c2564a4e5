// SPDX-License-Identifier: GPL-2.0-only

/** payload.s, assembled for 0x100000. A test assembles the source again and compares. */
export const PAYLOAD_CODE = Buffer.from(
  [
    'fafcbc00801000b033e6e9c7050040100003501000c7050050100003601000c7050060100083000000b8004010000f22',
    'd80f20e00d200600000f22e0b9800000c00f320d000100000f300f20c083e0fb0d030000800f22c00f011538011000ea',
    '66001000080066b810008ed08ed88ec0b036e6e931c00fa285c0747eb9820000c0b878563412baffffffff0f3031c00f',
    '323d785634127562b9100000000f3248c7c05a5a5a5a66480f6ec00f29042500001100813c25000011005a5a5a5a753a',
    '31db0f011c2580011000cc83fb01752abf00001100b90080000048c7c0fffffffff348abbe09011000b91000000066ba',
    'e900f36eb010e6f4eb08b021e6e9b011e6f4f4ebfdffc348cf656e6f6b65792d70726f62652d6f6b0a0f1f8000000000',
    '0000000000000000ffff0000009baf00ffff00000093cf00170020011000669000000000000000000000000000000000',
    '000000000000000000000000000000000000000000000000000000000000000005010800008e10000000000000000000',
    '3f004001100000000000',
  ].join(''),
  'hex',
);

/** What the payload writes to the debug console when everything it tried worked. */
export const PAYLOAD_MARKER = 'enokey-probe-ok';

const LOAD_ADDRESS = 0x100000;
const EHDR = 64;
const PHDR = 56;
const NOTE_OFFSET = EHDR + 2 * PHDR;
const NOTE_SIZE = 24;
const CODE_OFFSET = 256;

/**
 * The payload as an ELF64 executable that QEMU's `-kernel` enters like a Linux `vmlinux`: through the note
 * XEN_ELFNOTE_PHYS32_ENTRY (18) of the PVH boot protocol (xen/include/public/elfnote.h).
 */
export function payloadElf(): Buffer {
  const elf = Buffer.alloc(CODE_OFFSET + PAYLOAD_CODE.length);
  elf.write('\x7fELF', 0, 'latin1');
  elf.writeUInt8(2, 4); // ELFCLASS64
  elf.writeUInt8(1, 5); // little endian
  elf.writeUInt8(1, 6); // EV_CURRENT
  elf.writeUInt16LE(2, 16); // ET_EXEC
  elf.writeUInt16LE(62, 18); // EM_X86_64
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 24); // e_entry
  elf.writeBigUInt64LE(BigInt(EHDR), 32); // e_phoff
  elf.writeUInt16LE(EHDR, 52);
  elf.writeUInt16LE(PHDR, 54);
  elf.writeUInt16LE(2, 56);

  const header = (
    index: number,
    type: number,
    flags: number,
    offset: number,
    address: number,
    size: number,
  ): void => {
    const at = EHDR + index * PHDR;
    elf.writeUInt32LE(type, at);
    elf.writeUInt32LE(flags, at + 4);
    elf.writeBigUInt64LE(BigInt(offset), at + 8);
    elf.writeBigUInt64LE(BigInt(address), at + 16);
    elf.writeBigUInt64LE(BigInt(address), at + 24);
    elf.writeBigUInt64LE(BigInt(size), at + 32);
    elf.writeBigUInt64LE(BigInt(size), at + 40);
    elf.writeBigUInt64LE(4n, at + 48);
  };
  header(0, 1, 7, CODE_OFFSET, LOAD_ADDRESS, PAYLOAD_CODE.length); // PT_LOAD
  header(1, 4, 4, NOTE_OFFSET, 0, NOTE_SIZE); // PT_NOTE

  elf.writeUInt32LE(4, NOTE_OFFSET); // namesz
  elf.writeUInt32LE(8, NOTE_OFFSET + 4); // descsz
  elf.writeUInt32LE(18, NOTE_OFFSET + 8);
  elf.write('Xen\0', NOTE_OFFSET + 12, 'latin1');
  elf.writeBigUInt64LE(BigInt(LOAD_ADDRESS), NOTE_OFFSET + 16);
  PAYLOAD_CODE.copy(elf, CODE_OFFSET);
  return elf;
}
