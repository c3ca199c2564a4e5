// SPDX-License-Identifier: GPL-2.0-only
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const node = { environment: 'node' as const, setupFiles: ['test/helpers/neutral-env.ts'] };

/** One order on every machine. End-to-end, supervision comes last, and with it the test that needs the debug kernel. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.sort((a, b) => a.moduleId.localeCompare(b.moduleId));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: ByName },
    projects: [
      { test: { ...node, name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          ...node,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...node,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 600_000,
          globalSetup: ['test/e2e/support/prepare.ts'],
          // Guests share two cores: one file at a time, in the order of their names.
          fileParallelism: false,
          sequence: { concurrent: false },
        },
      },
    ],
  },
});
