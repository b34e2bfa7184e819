/** A file of a folder that is not read. */
export interface SkippedFile {
  readonly name: string;
  readonly why: string;
}

/** Parts of a capture by name (spec of the capture script), the main trace first. */
const memberPatterns: readonly RegExp[] = [
  /^trace(?:[_.-]?\w+)?\.txt$/,
  /^trace$/,
  /^trace_pipe[\w.-]*$/,
  /^.*\.trace$/,
  /^dmesg[\w.-]*$/,
  /^console(?:\.txt|\.log)?$/,
  /^(?:kern|kernel|journal|messages|syslog)[\w.-]*$/,
  /^[\w.-]+\.log$/,
  /^debugfs[\w.-]*\.(?:csv|txt)$/,
  /^cmdline(?:\.txt)?$/,
  /^config(?:[\w.-]*)?$/,
  /^version\.txt$/,
  /^uname\.txt$/,
];

/** Names that look like members but are settings, ground truth or second copies of the same events. */
const leftOut: readonly (readonly [RegExp, string])[] = [
  [/^trace_cmd_report/, 'a report of the binary trace'],
  [/^trace_(?:clock|options)|^tracer\.txt$/, 'settings of the tracer'],
  [/^debugfs_snap/, 'counters without a time'],
  [/^ops\.csv$/, 'ground truth of a test driver'],
  [/^pool_state/, 'ground truth of a test driver'],
  [/\.dat$/, 'the binary form of a trace that is here as text'],
];

/** A binary trace is read only where there is no text. */
const binaryTrace = /^trace[\w.-]*\.dat$/;
/** The first so many patterns are traces. */
const tracePatterns = 4;

const packed = /\.(?:gz|zst)$/;

/**
 * Which files of a folder are read together. Of a file and its packed copy only the plain one is;
 * trace.txt that trace_pipe emptied is read too, its header tells the CPUs.
 */
export function listMembers(names: readonly string[]): {
  readonly members: readonly string[];
  readonly skipped: readonly SkippedFile[];
} {
  const all = new Set(names);
  const ranked: { readonly name: string; readonly rank: number }[] = [];
  const skipped: SkippedFile[] = [];
  for (const name of [...names].sort()) {
    const plain = name.replace(packed, '');
    const reason = leftOut.find(([pattern]) => pattern.test(plain));
    const rank = memberPatterns.findIndex((pattern) => pattern.test(plain));
    if (reason !== undefined) {
      skipped.push({ name, why: reason[1] });
    } else if (rank < 0) {
      skipped.push({ name, why: 'no known part of a capture' });
    } else if (name !== plain && all.has(plain)) {
      skipped.push({ name, why: `the packed copy of ${plain}` });
    } else {
      ranked.push({ name, rank });
    }
  }
  if (!ranked.some(({ rank }) => rank < tracePatterns)) {
    const binary = skipped.findIndex(({ name }) => binaryTrace.test(name.replace(packed, '')));
    if (binary >= 0) {
      ranked.push({ name: skipped[binary]?.name ?? '', rank: 0 });
      skipped.splice(binary, 1);
    }
  }
  ranked.sort((a, b) => a.rank - b.rank);
  return { members: ranked.map(({ name }) => name), skipped };
}
