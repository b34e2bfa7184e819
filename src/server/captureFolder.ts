/**
 * Which files of a folder belong to one capture (see the capture script: trace.txt beside dmesg.txt, debugfs.csv …).
 * Only exact names count: a log folder such as /var/log must not be read as one capture.
 */
const traceNames = /^trace(?:_pipe)?(?:\.txt)?(?:\.(?:gz|zst))?$/;
const companionNames = /^(?:(?:dmesg|console|cmdline|config|version|uname)\.txt|debugfs\.csv)(?:\.(?:gz|zst))?$/;

/** Base names to analyse with a document, itself first; just itself when it is no member of a capture. */
export function captureMembers(name: string, siblings: readonly string[]): readonly string[] {
  const isTrace = traceNames.test(name);
  if (!isTrace && !companionNames.test(name)) {
    return [name];
  }
  const companions = siblings.filter((sibling) => sibling !== name && companionNames.test(sibling));
  if (isTrace) {
    return [name, ...withoutCopies(companions)];
  }
  const traces = siblings.filter((sibling) => traceNames.test(sibling));
  // Two traces of one folder are two recordings, or one and its packed copy.
  const trace =
    preferredTraces.map((candidate) => traces.find((found) => found === candidate)).find((found) => found) ?? traces[0];
  return trace === undefined ? [name, ...withoutCopies(companions)] : [name, trace, ...withoutCopies(companions)];
}

const preferredTraces = ['trace.txt', 'trace', 'trace.txt.gz', 'trace.txt.zst', 'trace_pipe.txt', 'trace_pipe'];

/** A file and its packed copy are one. */
function withoutCopies(names: readonly string[]): string[] {
  const plain = new Set(names.filter((name) => !/\.(?:gz|zst)$/.test(name)));
  return names.filter((name) => plain.has(name) || !plain.has(name.replace(/\.(?:gz|zst)$/, ''))).sort();
}
