// SPDX-License-Identifier: GPL-2.0-only
import prettier from 'eslint-config-prettier';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

import house from './scripts/eslint-house-rules.js';

/**
 * Who may import whom (ARCHITECTURE.md): commands -> cli -> domains -> system -> core. `report` and `stats` know
 * result types only. `from` is what the files in `target` must not import.
 */
const domains = ['variants', 'series', 'tree', 'kernel', 'image', 'guest', 'host', 'probe', 'fstests', 'run'];
const inSrc = (names) => names.map((name) => `./src/${name}`);
const zones = [
  { target: './src/core', from: './src', except: ['./core'], message: 'core imports nothing else' },
  {
    target: './src/system',
    from: './src',
    except: ['./core', './system'],
    message: 'system knows core only',
  },
  {
    target: './src/ssh',
    from: './src',
    except: ['./core', './system', './ssh'],
    message: 'ssh knows core and system only',
  },
  { target: './src/stats', from: './src', except: ['./stats', './core'], message: 'stats are pure' },
  {
    target: './src/report',
    from: './src',
    except: ['./report', './stats', './core', './run/types.ts', './probe/types.ts', './config/types.ts'],
    message: 'report knows result types only: it is a function from a run to text',
  },
  {
    target: inSrc([...domains, 'config', 'system', 'ssh', 'core', 'stats', 'report']),
    from: inSrc(['cli', 'commands']),
    message: 'domains never see flags or terminals',
  },
  { target: './src/cli', from: './src/commands', message: 'the cli layer does not know single commands' },
];

const processModules = ['execa', 'ssh2', 'simple-git', 'node:child_process', 'child_process'];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.check.json' } },
  },
  {
    files: ['**/*.js'],
    extends: [tseslint.configs.base],
  },
  {
    files: ['**/*.ts', '**/*.js'],
    plugins: { 'import-x': importX, house },
    settings: {
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: './tsconfig.check.json' })],
    },
    rules: {
      'house/spdx': 'error',
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-duplicates': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/system/**', 'src/ssh/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: processModules.map((name) => ({
            name,
            message: 'processes, git and SSH are started in src/system and src/ssh only',
          })),
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**', 'src/commands/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'cwd', message: 'paths come resolved from the cli layer' },
        { object: 'process', property: 'exit', message: 'throw an EnokeyError instead' },
        { object: 'process', property: 'stdout', message: 'the core is silent: emit an event' },
        { object: 'process', property: 'stderr', message: 'the core is silent: emit an event' },
      ],
    },
  },
  {
    files: ['scripts/**', 'bench/**'],
    rules: { 'no-console': 'off' },
  },
  prettier,
);
