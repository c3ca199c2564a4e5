// SPDX-License-Identifier: GPL-2.0-only

/**
 * Which clock the benches on file systems measure with.
 *
 * By default a guest with one CPU counts instructions: its clock is QEMU's count of what the CPU executed, kernel
 * threads and interrupts included. Two kernels then differ by what they do, not by who else used the host, and a
 * hundredth of a percent shows. What the count cannot tell is how long an instruction takes: a cache miss or a
 * contended lock costs the same as an addition.
 *
 * `ENOKEY_BENCH_CLOCK=host` measures the time of ordinary guests with two CPUs instead. It needs an idle machine: two
 * rounds of the same kernel differ by half when a compiler runs beside them.
 */
export const COUNTS_INSTRUCTIONS = process.env['ENOKEY_BENCH_CLOCK'] !== 'host';

/** What a nanosecond of the guest's clock is. */
export const UNIT = COUNTS_INSTRUCTIONS ? 'instructions' : 'ns';

/**
 * Words for the kernel's command line. QEMU counts each turn of a `rep movsb` as one instruction, a thousand times
 * what a CPU takes: without these two features the kernel copies in 64-byte steps.
 */
export const KERNEL_ARGS = COUNTS_INSTRUCTIONS ? ['clearcpuid=erms,fsrm'] : [];
