import { readLines } from '../node/readLines';
import { type Documents, lineOf } from './documents';
import { readLine } from './lineOffsets';
import { packedLines } from './packedLines';
import type { Member } from './trace';

/** Reads one-based lines of a document or file; '' where there is none. */
export interface LineReader {
  line(line: number): Promise<string>;
  /** Adjacent lines; fewer at the end. */
  lines(first: number, count: number): Promise<readonly string[]>;
}

export function lineReader(member: Member | undefined, documents: Documents): LineReader {
  const text = member === undefined ? null : documents.get(member.uri)?.text;
  if (text) {
    return {
      line: async (line) => lineOf(text, line),
      lines: async (first, count) =>
        Array.from({ length: Math.max(0, Math.min(count, text.lineCount - first + 1)) }, (_, index) =>
          lineOf(text, first + index),
        ),
    };
  }
  if (member?.isFile !== true) {
    return { line: async () => '', lines: async () => [] };
  }
  const { path, stamp, lineOffsets } = member;
  if (member.isPacked) {
    return {
      line: async (line) => (await packedLines(path, stamp, line, 1))[0] ?? '',
      lines: (first, count) => packedLines(path, stamp, first, count),
    };
  }
  return {
    line: (line) => readLine(path, lineOffsets, line).catch(() => ''),
    lines: async (first, count) => {
      const { start, skip } = lineOffsets.place(first);
      return (await readLines(path, start, skip, count)).map(({ text: found }) => found);
    },
  };
}

/** Column where the event of a trace line or the message of a log line begins; the first character of other lines. */
export function messageColumn(text: string): number {
  const prefix =
    /^\s*\S.*?\s\d+(?:\.\d+)?: (?=\w+: )/.exec(text) ?? /^(?:<\d+>)?\[ *\d+\.\d+\](?:\[[^\]]*\])? /.exec(text);
  return prefix === null ? (/\S/.exec(text)?.index ?? 0) : prefix[0].length;
}
