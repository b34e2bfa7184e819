import { exactRole, plainName } from '../node/captureFolder';

/**
 * Base names to analyse with a document, itself first; just itself when it is no member of a capture.
 * Only exact names count: a log folder such as /var/log must not be read as one capture.
 */
export function captureMembers(name: string, siblings: readonly string[]): readonly string[] {
  const role = exactRole(name);
  if (role === null) {
    return [name];
  }
  const others = siblings.filter((sibling) => sibling !== name);
  const companions = others.filter((sibling) => ![null, 'trace'].includes(exactRole(sibling)));
  if (role === 'trace') {
    return [name, ...withoutCopies(companions)];
  }
  const traces = others.filter((sibling) => exactRole(sibling) === 'trace');
  // Two traces of one folder are two recordings, or one and its packed copy.
  const trace =
    preferredTraces.map((candidate) => traces.find((found) => found === candidate)).find((found) => found) ?? traces[0];
  return trace === undefined ? [name, ...withoutCopies(companions)] : [name, trace, ...withoutCopies(companions)];
}

const preferredTraces = [
  'trace.txt',
  'trace',
  'trace.txt.gz',
  'trace.txt.zst',
  'trace.txt.xz',
  'trace_pipe.txt',
  'trace_pipe',
];

/** A file and its packed copy are one. */
function withoutCopies(names: readonly string[]): string[] {
  const plain = new Set(names.filter((name) => plainName(name) === name));
  return names.filter((name) => plain.has(name) || !plain.has(plainName(name))).sort();
}
