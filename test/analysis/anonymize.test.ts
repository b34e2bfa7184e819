import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { devicesReport } from '../../src/analysis/devices';
import { diagnose } from '../../src/analysis/diagnose';
import { info } from '../../src/analysis/info';
import { replayReport } from '../../src/analysis/replay';
import { verifyReport } from '../../src/analysis/verify';
import { type AnonymizeReport, createAnonymizer } from '../../src/trace/anonymize';
import { listFixtures, readFixture } from '../support/fixtures';

interface File {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function anonymized(files: readonly File[], chunkBytes = 1 << 16): { files: File[]; report: AnonymizeReport } {
  const anonymizer = createAnonymizer();
  const pass = (name: string, bytes: Uint8Array, open: typeof anonymizer.survey): Buffer => {
    const source = open(name);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      parts.push(source.push(bytes.subarray(at, at + chunkBytes)));
    }
    parts.push(source.end());
    return Buffer.concat(parts);
  };
  for (const { name, bytes } of files) pass(name, bytes, anonymizer.survey);
  const out = files.map(({ name, bytes }) => ({ name, bytes: pass(name, bytes, anonymizer.rewrite) }));
  return { files: out, report: anonymizer.report() };
}

function analyse(files: readonly File[]): Analysis {
  const builder = createAnalysis();
  for (const { name, bytes } of files) {
    const source = builder.openSource({ path: name });
    source.push(bytes);
    source.end();
  }
  return builder.snapshot();
}

function capture(folder: string): File[] {
  const wanted = /^(trace|dmesg|debugfs|cmdline|version|uname|config|kprobe|ring_stats|devices|kallsyms)/;
  return listFixtures(folder)
    .filter((name) => wanted.test(name))
    .map((name) => ({ name: name.replace(/\.(zst|gz)$/, ''), bytes: readFixture(`${folder}/${name}`) }))
    .sort((a, b) => (a.name.startsWith('trace') ? -1 : b.name.startsWith('trace') ? 1 : a.name < b.name ? -1 : 1));
}

/** Everything that must not depend on names and addresses. */
function numbers(analysis: Analysis) {
  const { generation, requests, checked, exact, learned, undecided, mismatchedCount, skipped } = verifyReport(analysis);
  const found = diagnose(analysis);
  const { lines, events, bounced, geometry } = info(analysis);
  const runs = ['fixed', 'transient', 'dynamic'].map((policy) => {
    const { report } = replayReport(analysis, { policy });
    const { served, failed, failuresByCause, usedHighWaterSlots, memory, copiedBytes, transient, assumed } = report;
    return { policy, served, failed, failuresByCause, usedHighWaterSlots, memory, copiedBytes, transient, assumed };
  });
  return {
    verify: { generation, requests, checked, exact, learned, undecided, mismatchedCount, skipped },
    failures: found.failures.map(({ line, cause, sizeBytes, usedSlots, totalSlots }) => ({ line, cause, sizeBytes, usedSlots, totalSlots })),
    episodes: found.episodes.map(({ firstLine, lastLine, count, cause }) => ({ firstLine, lastLine, count, cause })),
    info: { lines, events, bounced, kernel: geometry.kernel, dynamic: geometry.dynamic, cpus: geometry.cpus },
    devices: devicesReport(analysis)
      .devices.map(({ requests, failed, peakSlots, bytes, wasteBytes, driver, dmaMaskBits, minAlignMask }) =>
        JSON.stringify({ requests, failed, peakSlots, bytes, wasteBytes, driver, dmaMaskBits, minAlignMask }),
      )
      .sort(),
    runs,
  };
}

describe('anonymised captures', () => {
  it.each(listFixtures('captures').filter((name) => !name.endsWith('.md')))('%s: the same numbers', (folder) => {
    const files = capture(`captures/${folder}`);
    const { files: out } = anonymized(files);
    expect(numbers(analyse(out))).toEqual(numbers(analyse(files)));
  });
});
