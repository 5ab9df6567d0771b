// A node:test reporter: one line a test file, failures in full, skipped tests with their reason, counts at the end.
import { relative } from 'node:path';

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter as the default export
export default async function* report(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const durations = new Map();
  for await (const { type, data } of source) {
    if (type === 'test:pass' || type === 'test:fail') {
      if (data.details?.type === 'suite') continue;
      const where = data.file ? relative(process.cwd(), data.file) : '';
      if (data.nesting === 0)
        durations.set(where, (durations.get(where) ?? 0) + (data.details?.duration_ms ?? 0));
      if (data.skip !== undefined) {
        skipped++;
        yield `skipped: ${data.name} (${where})${typeof data.skip === 'string' ? `: ${data.skip}` : ''}\n`;
      } else if (type === 'test:pass') passed++;
      else if (data.details?.error?.failureType === 'subtestsFailed') continue;
      else {
        failed++;
        const error = data.details?.error;
        yield `FAILED: ${data.name} (${where})\n${indent(String(error?.cause?.stack ?? error?.cause ?? error?.message ?? error))}\n`;
      }
    } else if (type === 'test:stderr' || type === 'test:stdout') yield data.message;
  }
  const slowest = [...durations].sort((a, b) => b[1] - a[1]).slice(0, 5);
  yield `slowest files: ${slowest.map(([file, ms]) => `${file} ${(ms / 1000).toFixed(1)} s`).join(', ')}\n`;
  yield `#counts ${passed} ${failed} ${skipped}\n`;
}

function indent(text) {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
