/** Where text goes and what it may look like. */
export interface Terminal {
  /** Writes to standard output. */
  out(text: string): void;
  /** A line for the person on standard error. */
  note(text: string): void;
  /** A line of progress that the next one replaces; only on a terminal. */
  progress(text: string): void;
  readonly style: Style;
  /** Columns to wrap text at. */
  readonly width: number;
  /** Columns that tables must fit into; Infinity for a file or a pipe, where a row is one line. */
  readonly columns: number;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  bad(text: string): string;
  good(text: string): string;
  warn(text: string): string;
}

const plain: Style = { bold: same, dim: same, bad: same, good: same, warn: same };

function same(text: string): string {
  return text;
}

function ansi(code: number): (text: string) => string {
  return (text) => `\u001b[${code}m${text}\u001b[0m`;
}

const coloured: Style = { bold: ansi(1), dim: ansi(2), bad: ansi(31), good: ansi(32), warn: ansi(33) };

/** Colour only on a terminal, and not with NO_COLOR or TERM=dumb. A closed pipe ends the output quietly. */
export function createTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  const mayColour = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const columns = stdout.isTTY === true ? Math.max(40, stdout.columns || 100) : Number.POSITIVE_INFINITY;
  let shown = 0;
  return {
    out(text) {
      stdout.write(text);
    },
    note(text) {
      clear();
      stderr.write(`${text}\n`);
    },
    progress(text) {
      if (stderr.isTTY === true) {
        clear();
        // A line that breaks could not be taken back.
        const line = text.slice(0, (stderr.columns || 80) - 1);
        stderr.write(line);
        shown = line.length;
      }
    },
    style: mayColour ? coloured : plain,
    width: Number.isFinite(columns) ? columns : 100,
    columns,
  };

  function clear(): void {
    if (shown > 0) {
      stderr.write(`\r${' '.repeat(shown)}\r`);
      shown = 0;
    }
  }
}

/** Breaks a sentence into lines of at most `width` columns; `indent` before every line, `first` before the first. */
export function wrap(text: string, width: number, indent = '', first = indent): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(' ')) {
    const room = width - line.length - (empty ? 0 : 1);
    if (!empty && word.length > room) {
      lines.push(line);
      line = indent;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines.join('\n');
}

/** A name in a column of its own and what there is to say about it, wrapped beside it. */
export function labelled(name: string, pad: number, text: string, { style, width }: Terminal): string {
  return `${style.dim(name.padEnd(pad))}${wrap(text, width, ' '.repeat(pad)).slice(pad)}`;
}

/** Terminals obey control characters inside traces: they are shown as dots. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '·');
}
