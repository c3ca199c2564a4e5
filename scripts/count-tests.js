// SPDX-License-Identifier: GPL-2.0-only
// Adds the gates' reports up. A gate that was asked for and left no readable report counts as one failure: a
// crashed test runner must not look like nothing to report. Skipped tests are listed with their reason.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const [folder, ...gates] = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
const skipped = [];
const failed = [];

for (const gate of gates) {
  const plain = read(`${gate}.plain`);
  if (plain !== undefined) {
    const ok = plain.trim() === 'passed';
    total[ok ? 'passed' : 'failed']++;
    if (!ok) failed.push(gate);
    continue;
  }
  const text = read(`${gate}.json`);
  if (text === undefined) {
    total.failed++;
    failed.push(`${gate}: the test runner left no report`);
    continue;
  }
  const report = JSON.parse(text);
  let seen = 0;
  for (const file of report.testResults) {
    // A file that could not even be loaded has no tests of its own.
    if (file.status === 'failed' && file.assertionResults.length === 0) {
      total.failed++;
      failed.push(`${path.relative(process.cwd(), file.name)}: ${firstLine(file.message)}`);
    }
    for (const test of file.assertionResults) {
      seen++;
      if (test.status === 'passed') total.passed++;
      else if (test.status === 'failed') {
        total.failed++;
        failed.push(test.fullName);
      } else {
        total.skipped++;
        skipped.push(test.fullName + (test.meta?.reason ? `: ${test.meta.reason}` : ''));
      }
    }
  }
  if (seen === 0) {
    total.failed++;
    failed.push(`${gate}: no test ran`);
  } else if (!report.success && failed.length === 0) {
    total.failed++;
    failed.push(`${gate}: the test runner reports an error outside any test`);
  }
}

for (const name of skipped) console.log(`skipped: ${name}`);
for (const name of failed) console.log(`failed: ${name}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;

function read(name) {
  try {
    return readFileSync(path.join(folder, name), 'utf8');
  } catch {
    return undefined;
  }
}

function firstLine(text) {
  return String(text ?? '').split('\n', 1)[0];
}
