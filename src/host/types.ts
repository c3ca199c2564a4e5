// SPDX-License-Identifier: GPL-2.0-only

export type AcceleratorName = 'kvm' | 'tcg';

/** The verdict on how guests run here. Probed once for each boot of the host, then cached. */
export interface Accelerator {
  readonly name: AcceleratorName;
  /** Why it is not KVM, in one line: `kvm: QEMU exited: failed to set MSR 0x10a`. */
  readonly reason: string;
  /** Deadlines are multiplied by this: 1 on KVM, 10 or so on TCG. */
  readonly timeScale: number;
}
