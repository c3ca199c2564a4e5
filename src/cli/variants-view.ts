// SPDX-License-Identifier: GPL-2.0-only
import type { Contract } from '../config/types.js';
import type { FileStat, VariantSummary } from '../variants/describe.js';
import { table } from './table.js';

/** The list: a line a variant, and below it what is wrong. */
export function variantsTable(variants: readonly VariantSummary[]): string {
  const rows = variants.map((variant) => [
    variant.name,
    variant.base,
    String(variant.patches.length),
    variant.applies,
    contractSummary(variant.contract),
    variant.title,
  ]);
  const problems = variants.flatMap(({ name, problems: found }) => found.map((text) => `${name}: ${text}`));
  return [table(['VARIANT', 'BASE', 'PATCHES', 'APPLIES', 'CONTRACT', 'TITLE'], rows), ...problems].join(
    '\n',
  );
}

function contractSummary(contract: Contract): string {
  const parts = Object.entries(contract).map(
    ([filesystem, tests]) => `${filesystem} ${Object.keys(tests).length}`,
  );
  return parts.length === 0 ? 'none' : parts.join(', ');
}

/** Everything about one variant. */
export function variantText(variant: VariantSummary): string {
  const lines = [
    `${variant.name}: ${variant.title}`,
    `  base          ${variant.base}`,
    `  defined in    ${variant.definedIn}`,
    `  file systems  ${variant.filesystems.join(', ')}`,
  ];
  for (const [filesystem, options] of Object.entries(variant.mountOptions))
    lines.push(`  mount         ${filesystem}: ${options}`);
  if (variant.kernelArgs.length > 0) lines.push(`  kernel args   ${variant.kernelArgs.join(' ')}`);
  if (variant.overrides !== undefined) lines.push(`  overrides     fstests-overrides/${variant.overrides}`);
  for (const source of variant.sources) lines.push(`  series        ${source}`);
  lines.push(
    `  applies       ${variant.applies === 'unknown' ? 'unknown: no kernel imported yet (enokey tree)' : variant.applies}`,
  );
  if (variant.patches.length > 0) {
    lines.push(
      '',
      table(
        ['PATCH', 'FILES', '+', '-', 'SUBJECT'],
        variant.patches.map((patch) => [
          patch.name,
          String(patch.files.length),
          String(patch.insertions),
          String(patch.deletions),
          patch.subject,
        ]),
      ),
    );
    lines.push('', diffstatTable(variant.diffstat));
  }
  if (Object.keys(variant.contract).length > 0) lines.push('', 'Contract', contractTable(variant.contract));
  if (variant.problems.length > 0) lines.push('', 'PROBLEMS', ...variant.problems.map((text) => `  ${text}`));
  return lines.join('\n');
}

/** A line a file and one for all; the sums are those of the patches, so a line that two patches change counts twice. */
export function diffstatTable(files: readonly FileStat[]): string {
  const sum = (of: 'insertions' | 'deletions'): number => files.reduce((total, file) => total + file[of], 0);
  const all = `${files.length} file${files.length === 1 ? '' : 's'}`;
  return table(
    ['FILE', 'PATCHES', '+', '-'],
    [
      ...files.map((file) => [
        file.path,
        String(file.patches),
        String(file.insertions),
        String(file.deletions),
      ]),
      [all, '', String(sum('insertions')), String(sum('deletions'))],
    ],
  );
}

function contractTable(contract: Contract): string {
  const rows = Object.entries(contract).flatMap(([filesystem, tests]) =>
    Object.entries(tests).map(([test, { outcome, cases, observations, reason }]) => [
      filesystem,
      test,
      outcome?.join(' or ') ?? 'any',
      [
        ...Object.entries(cases ?? {}).map(([name, verdicts]) => `${name} ${verdicts.join('|')}`),
        ...Object.entries(observations ?? {}).map(([name, number]) => `${name} ${number}`),
        ...(reason ? [`(${reason})`] : []),
      ].join(', '),
    ]),
  );
  return table(['FS', 'TEST', 'OUTCOME', 'CASES'], rows);
}
