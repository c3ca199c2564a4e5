// SPDX-License-Identifier: GPL-2.0-only

/** Everything that decides how make is called for a kernel. */
export interface MakeOptions {
  /** The tree, absolute, without spaces and colons; `output` likewise. */
  readonly source: string;
  /** make's `O=`: a folder directly in `source`, save for targets that compile nothing for the kernel. */
  readonly output: string;
  readonly targets: readonly string[];
  readonly jobs: number;
  readonly ccache: boolean;
  /** `-enokey-VARIANT-TREE12`; empty for configuration targets. */
  readonly localVersion: string;
}

/**
 * What a build must not take from the environment or from the clock. Kbuild writes user, host, time and a build
 * counter into the kernel: fixed, so that one source gives one image. KBUILD_BUILD_TIMESTAMP is fed to date(1).
 */
const FIXED = {
  KBUILD_BUILD_USER: 'enokey',
  KBUILD_BUILD_HOST: 'enokey',
  KBUILD_BUILD_TIMESTAMP: '1970-01-01 00:00:00 UTC',
  KBUILD_BUILD_VERSION: '1',
  // ccache takes the headers from the compiler's own list instead of running the preprocessor first, which made a
  // cold build a quarter longer than one without ccache. It needs -MMD, which Kbuild passes.
  CCACHE_DEPEND: '1',
  LC_ALL: 'C',
} as const;

/** Variables by which a user's shell would change a build unseen (Documentation/kbuild/kbuild.rst, make, gcc). */
const UNSET = [
  ...[
    'ARCH',
    'SUBARCH',
    'SRCARCH',
    'CROSS_COMPILE',
    'LLVM',
    'LLVM_IAS',
    'CC',
    'LD',
    'AS',
    'AR',
    'NM',
    'OBJCOPY',
  ],
  ...[
    'HOSTCC',
    'HOSTCXX',
    'HOSTCFLAGS',
    'HOSTLDFLAGS',
    'KCFLAGS',
    'KAFLAGS',
    'KCPPFLAGS',
    'KRUSTFLAGS',
    'LDFLAGS',
  ],
  ...['CFLAGS', 'CPPFLAGS', 'CXXFLAGS', 'AFLAGS_KERNEL', 'CFLAGS_KERNEL', 'LDFLAGS_vmlinux', 'EXTRAVERSION'],
  ...['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEFILES', 'GNUMAKEFLAGS', 'O', 'V', 'W', 'C', 'KBUILD_OUTPUT'],
  ...['KBUILD_VERBOSE', 'KBUILD_EXTMOD', 'KBUILD_EXTRA_WARN', 'KBUILD_CHECKSRC', 'KBUILD_DEFCONFIG'],
  ...[
    'KCONFIG_CONFIG',
    'KCONFIG_ALLCONFIG',
    'KCONFIG_DEFCONFIG_LIST',
    'KCONFIG_OVERWRITECONFIG',
    'KCONFIG_SEED',
  ],
  ...['KERNELRELEASE', 'KERNELVERSION', 'LOCALVERSION', 'SOURCE_DATE_EPOCH', 'LANG', 'LANGUAGE'],
  ...['CPATH', 'C_INCLUDE_PATH', 'LIBRARY_PATH', 'COMPILER_PATH', 'GCC_EXEC_PREFIX', 'DEPENDENCIES_OUTPUT'],
  ...['CCACHE_BASEDIR', 'CCACHE_PREFIX', 'CCACHE_SLOPPINESS', 'CCACHE_EXTRAFILES'],
];

/** Environment of make, to be added to our own: fixed values, and undefined for what has to go. */
export function makeEnvironment(): Record<string, string | undefined> {
  return { ...Object.fromEntries(UNSET.map((name) => [name, undefined])), ...FIXED };
}

/**
 * Arguments of make. The bytes must not depend on where the cache is: `output` lies in `source`, so that Kbuild uses
 * relative paths, and what debug information has of either is mapped away (Kbuild does it for `__FILE__`). `-g1` keeps
 * the line tables that addr2line needs, inlined calls included, and saves a seventh of the compile time and half of
 * vmlinux against CONFIG_DEBUG_INFO_REDUCED alone.
 */
export function makeArguments(options: MakeOptions): string[] {
  const { source, output } = options;
  // Of those that match the compiler takes the last.
  const flags = [
    '-g1',
    ...[`${source}/=`, '../=', `${output}=.`].map((map) => `-fdebug-prefix-map=${map}`),
  ].join(' ');
  return [
    '-C',
    source,
    `O=${output}`,
    `-j${options.jobs}`,
    '--no-print-directory',
    `CC=${options.ccache ? 'ccache gcc' : 'gcc'}`,
    `KCFLAGS=${flags}`,
    `KAFLAGS=${flags}`,
    `LOCALVERSION=${options.localVersion}`,
    ...options.targets,
  ];
}

/** `  CC      fs/btrfs/inode.o` -> the object; undefined for other lines. */
export function builtObject(line: string): string | undefined {
  return /^ {2}(?:\[[MK]\] )?(?:CC|AS|AR|LD|HOSTCC|HOSTLD|VDSO|NM|KSYMS)(?: \[M\])? +(\S+)$/.exec(line)?.[1];
}
