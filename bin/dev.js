#!/usr/bin/env -S node --import tsx
// SPDX-License-Identifier: GPL-2.0-only
// Runs the sources without a build: for work on enokey itself.
process.env.NODE_ENV = 'development';
const { main } = await import('../src/cli/main.ts');

await main(import.meta.url, { development: true });
