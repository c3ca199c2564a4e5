// SPDX-License-Identifier: GPL-2.0-only
import type { Mark } from '../core/outcome.js';

/** `panic` and `oops` end a guest; the others mark the work during which they were seen. */
export type ReportKind = 'panic' | 'oops' | Mark;

export interface Pattern {
  readonly kind: ReportKind;
  /** Matched against the text after the timestamp. */
  readonly start: RegExp;
  /** A whole report follows; without it the line is all there is. */
  readonly block: boolean;
}

/** Messages that look like one of the patterns and are what a healthy kernel says. */
export const HARMLESS: readonly RegExp[] = [
  // fs/crypto/keysetup.c, once for each mode; not a warning.
  /^fscrypt: \S+ using (?:implementation |blk-crypto)/,
  // fs/crypto/keyring.c, check_for_busy_inodes(): the documented answer to removing a key that is in use.
  /^fscrypt(?:: \S+| \(.*\)): .*\d+ inode\(s\) still busy after removing key/,
  // fs/ext4/super.c and fs/f2fs/super.c at mount.
  /^EXT4-fs \(.*\): (?:mounted|unmounting|re-mounted|recovery complete|orphan cleanup)/,
];

/**
 * Kernel reports, most particular first: the first that matches decides. Sources: kernel/panic.c, arch/x86/mm/fault.c,
 * arch/x86/kernel/dumpstack.c, kernel/locking/lockdep.c, mm/kasan/report.c, lib/ubsan.c, kernel/hung_task.c,
 * kernel/watchdog.c, kernel/rcu/tree_stall.h, kernel/workqueue.c, kernel/sched/core.c, fs/btrfs/messages.c,
 * fs/crypto/crypto.c, fs/ext4/super.c, fs/f2fs/super.c.
 */
export const PATTERNS: readonly Pattern[] = [
  { kind: 'panic', start: /^Kernel panic - not syncing/, block: true },

  { kind: 'kasan', start: /^BUG: KASAN: /, block: true },
  { kind: 'kasan', start: /^BUG: KFENCE: /, block: true },
  { kind: 'lockdep', start: /^WARNING: possible (?:circular|irq lock inversion|recursive) /, block: true },
  { kind: 'lockdep', start: /^WARNING: possible /, block: true },
  {
    kind: 'lockdep',
    start:
      /^WARNING: (?:inconsistent lock state|bad unlock balance detected|held lock freed|lock held when returning to user space|Nested lock was not taken|\S+-safe -> \S+-unsafe lock order|suspicious RCU usage|inconsistent \S+ lock state)/i,
    block: true,
  },
  { kind: 'lockdep', start: /^WARNING: .*(?:still has locks held|locks? held)!?/, block: true },
  {
    kind: 'lockdep',
    start:
      /^BUG: (?:sleeping function called from invalid context|scheduling while atomic|Invalid wait context|using (?:smp_processor_id|__this_cpu_\S+)\(\) in preemptible|spinlock |rwlock |MAX_LOCK\S* too low)/i,
    block: true,
  },
  { kind: 'lockdep', start: /^\[ BUG: (?:Invalid wait context|.*locks? held)/, block: true },
  { kind: 'lockdep', start: /^INFO: possible /, block: true },

  { kind: 'soft-lockup', start: /^(?:watchdog: )?BUG: soft lockup/, block: true },
  {
    kind: 'soft-lockup',
    start: /^(?:watchdog: )?(?:Watchdog detected hard LOCKUP|CPU\d+: Watchdog detected hard LOCKUP)/,
    block: true,
  },
  {
    kind: 'soft-lockup',
    start:
      /^rcu: (?:INFO: rcu_\S+ (?:self-)?detected (?:expedited )?stalls?|rcu_\S+ kthread (?:starved|timer wakeup))/,
    block: true,
  },
  { kind: 'soft-lockup', start: /^BUG: workqueue lockup/, block: true },
  { kind: 'hung-task', start: /^INFO: task .* blocked (?:for|on|in) /, block: true },

  {
    kind: 'oops',
    start:
      /^BUG: (?:unable to handle|kernel NULL pointer|TASK stack guard page|stack guard page|IRQ stack guard page)/,
    block: true,
  },
  {
    kind: 'oops',
    start:
      /^(?:Oops: )?(?:Oops|general protection fault|invalid opcode|divide error|stack segment|segment not present|double fault|alignment check|bounds|invalid TSS|int3|trap invalid opcode)(?:,[^:]*)?: .*\[#\d+\]/,
    block: true,
  },
  { kind: 'oops', start: /^(?:Oops: |traps: PANIC: |PANIC: )/, block: true },
  { kind: 'oops', start: /^general protection fault/, block: true },
  { kind: 'oops', start: /^kernel BUG at /, block: true },
  { kind: 'oops', start: /^kernel tried to execute NX-protected page/, block: true },
  { kind: 'oops', start: /^(?:Unable to handle kernel|Internal error: Oops)/, block: true },

  { kind: 'btrfs', start: /^BTRFS: Transaction aborted/, block: true },
  { kind: 'btrfs', start: /^BTRFS:? (?:error|critical|emergency|alert)\b/, block: false },
  { kind: 'btrfs', start: /^assertion failed: .*(?:fs\/btrfs|btrfs)/, block: true },
  { kind: 'ext4', start: /^EXT4-fs (?:error|warning)\b/, block: false },
  {
    kind: 'ext4',
    start:
      /^EXT4-fs \(\S+\): .*(?:error|failed|corrupt|abort|Delayed block allocation|This should not happen)/i,
    block: false,
  },
  { kind: 'ext4', start: /^(?:JBD2: |Aborting journal on device )/, block: false },
  {
    kind: 'f2fs',
    start: /^F2FS-fs (?:error\b|\(\S+\): .*(?:error|fail|inconsisten|corrupt|invalid|bug_on|stopped))/i,
    block: false,
  },
  { kind: 'fscrypt', start: /^fscrypt(?: \(.*\))?: /, block: false },

  { kind: 'warn', start: /^WARNING: /, block: true },
  { kind: 'warn', start: /^UBSAN: /, block: true },
  { kind: 'warn', start: /^BUG: /, block: true },
  {
    kind: 'warn',
    start:
      /^(?:refcount_t: |list_(?:add|del) corruption|VFS: Busy inodes after unmount|kmemleak: \d+ new suspected)/,
    block: false,
  },
];

/** These name what a cut-here block is about more exactly than its WARNING line, which may come before or after. */
export const REFINES: readonly { readonly text: RegExp; readonly kind: Mark }[] = [
  { text: /^BTRFS: Transaction aborted/, kind: 'btrfs' },
  { text: /^DEBUG_LOCKS_WARN_ON/, kind: 'lockdep' },
];
