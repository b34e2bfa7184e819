import { type AddressShift, type Pseudonyms, pciPattern } from './anonymizeNames';

/** What an event line is rewritten with. */
export interface EventRewriter {
  readonly names: Pseudonyms;
  readonly addresses: AddressShift;
  /** The text of a console event. */
  readonly message: (text: string) => string;
}

/** Layouts of lines that hold one event: before the task, task, process, until the name, name, colon, fields. */
const layouts: readonly RegExp[] = [
  // ftrace, trace-cmd report, trace.dat as text.
  /^((?:\S+:\s)?\s*)(\S.{0,31}?)-(\d+)(\s+(?:\([\s\d-]+\)\s+)?\[\d+\]\s+(?:[\w.#!*]{1,9}\s+)?[\d.]+:\s+(?:\w+:)?)([\w.<>-]+)(:)(.*)$/,
  // perf script.
  /^(\s*)(\S.{0,31}?)(\s+\d+(?:\/\d+)?)(\s+\[\d+\]\s+(?:\S+\s+)?[\d.]+:\s+(?:[\w-]+:)?)([\w.-]+)(:)(.*)$/,
  // latency format, then its verbose form.
  /^(\s*)(\S.{0,31}?)-(\d+)(\s+\d+\S{3,8}\s+\d+us[+!#*@$]?\s*:\s*)([\w.-]+)(:)(.*)$/,
  /^(\s*)(\S.{0,31}?)(\s+\d+)(\s+\d+\s+\d+\s+[0-9a-f]{8}\s+[0-9a-f]{8}\s+\[[0-9a-f]+\]\s+\d+\s+\([^)]*\):\s*)([\w.-]+)(:)(.*)$/,
  // No context.
  /^()()()()((?:p?swiotlb_|dma_|mm_page_)\w+|console|tracing_mark_write)(:)(\s.*)$/,
];

/** The line with other names and addresses; null when it holds no event in a known layout. */
export function anonymizeEvent(line: string, rewriter: EventRewriter): string | null {
  for (const layout of layouts) {
    const match = layout.exec(line);
    if (match !== null) {
      const [, before, task, pid, between, name, colon, fields] = match as unknown as readonly string[];
      const process = pid.replace(/\d+/g, (digits) => rewriter.names.pid(digits));
      const dash = layout.source.includes('?)-(\\d+)') ? '-' : '';
      return `${before.replace(/\S+:/, 'x:')}${rewriter.names.task(task.trimEnd())}${dash}${process}${between}${name}${colon}${anonymizeFields(name, fields, rewriter)}`;
    }
  }
  return anonymizeGraph(line, rewriter);
}

const fieldEvents = /^(?:p?swiotlb_|dma_|mm_page_alloc|workqueue_)/;
const textEvents = /^(?:tracing_mark_write|print|bprint|bputs)$/;

/** What stands behind the name of an event. */
function anonymizeFields(name: string, fields: string, rewriter: EventRewriter): string {
  if (name === 'console') {
    return ` ${rewriter.message(fields.trimStart())}`;
  }
  if (textEvents.test(name)) {
    // Readings of clocks join the trace with other files; the rest is somebody's text.
    const readings = [...fields.matchAll(/\b(?:mono|boot)=\d+(?:\.\d+)?/g)].map(([reading]) => reading);
    return readings.length === 0 ? ' x' : ` x ${readings.join(' ')}`;
  }
  const isProbe = /^\s*\(\S+\+0x/.test(fields) || /^\s*\(\S+ <- /.test(fields);
  return fieldEvents.test(name) || isProbe ? anonymizeValues(name, fields, rewriter) : ' x';
}

const deviceKey = /^(?:dev|dev_name|device|name)$/;
const plainKey =
  /^(?:dir|attrs|size|sizes|len|alloc_size|mapping_size|dma_mask|mask|amask|align|alloc_align_mask|nents|ents|full_nents|full_ents|truncated|force|swiotlb_force|err|error|flags|gfp_flags|order|migratetype|nslabs|nareas|transient|area|index|cpu|req_cpu|aligned_size)$/;
const plainWords = new Set(
  'FORCE NORMAL NO_FORCE FORCEOFF swiotlb_force [TRUNCATED] [FAILED TO PARSE] */ work struct total (fault) TRUNCATED'.split(
    ' ',
  ),
);
const pieces =
  /(\s+)|(\((?:[^()]|\([^()]*\))*\))|([A-Za-z_]\w*)(=|: )("[^"]*"|ARRAY\[[^\]]*\]|\{[^}]*\}|\[[^\]]*\]|[^\s]*)|(\S+)/g;
const hexNumber = /^(?:0x)?[0-9a-f]+$/i;
const pciOnly = new RegExp(`^${pciPattern}$`);

function anonymizeValues(name: string, fields: string, { names, addresses }: EventRewriter): string {
  let isFirst = true;
  return fields.replace(
    pieces,
    (piece: string, blank?: string, symbols?: string, key?: string, sign?: string, value?: string, word?: string) => {
      if (blank !== undefined) {
        return blank;
      }
      const atDevice = isFirst && name.startsWith('dma_');
      if (word !== undefined && plainWords.has(word)) {
        return word;
      }
      isFirst = false;
      if (symbols !== undefined) {
        if (/^\(-?\d+\)$/.test(symbols)) {
          // The option `fields` prints every number a second time, as it was.
          return '';
        }
        return symbols.replace(/[A-Za-z_][\w.]*/g, (symbol) =>
          /swiotlb|dma|^fault$|^0?x[0-9a-f]+$/i.test(symbol) ? symbol : 'caller',
        );
      }
      if (key !== undefined && value !== undefined && sign !== undefined) {
        return `${key}${sign}${anonymizeValue(key, value, names, addresses)}`;
      }
      if (atDevice || pciOnly.test(piece)) {
        return names.device(piece);
      }
      return hexNumber.test(piece) ? hexOf(piece, addresses) : /^[\d.,;:+/-]{1,8}$/.test(piece) ? piece : 'x';
    },
  );
}

function anonymizeValue(key: string, value: string, names: Pseudonyms, addresses: AddressShift): string {
  if (deviceKey.test(key)) {
    const bare = value.replace(/^"|"$/g, '');
    return bare === '' || bare === '(fault)' ? value : value.replace(bare, () => names.device(bare));
  }
  if (key === 'dma_mask') {
    addresses.mask(value.replace(/^0x/, ''));
  }
  if (plainKey.test(key)) {
    return /^[A-Z0-9_|,.+x[\]{} -]*$/.test(value) || /^ARRAY\[|^[{[]?(?:0x)?[0-9a-f]+[,\s0-9a-fx]*[}\]]?$/.test(value)
      ? value
      : 'x';
  }
  if (key === 'function') {
    return /swiotlb/.test(value) ? value : 'x';
  }
  if (value.startsWith('ARRAY[')) {
    return littleEndianArray(value, addresses);
  }
  if (/^[{[]?(?:0x)?[0-9a-f]+(?:[,\s]+(?:0x)?[0-9a-f]+)*[,.…]*[}\]]?$/i.test(value)) {
    return value.replace(/(?:0x)?[0-9a-f]+/gi, (number) => hexOf(number, addresses));
  }
  return value === '' || /^(?:\(fault\)|\(null\)|-?\d{1,6})$/.test(value) ? value : 'x';
}

function hexOf(text: string, addresses: AddressShift): string {
  return text.startsWith('0x') ? `0x${addresses.hex(text.slice(2))}` : addresses.hex(text);
}

/** `ARRAY[00, a0, 25, 07, 01, 00, 00, 00, …]`: 64-bit addresses, lowest byte first. */
function littleEndianArray(value: string, addresses: AddressShift): string {
  const bytes = value.match(/\b[0-9a-f]{2}\b/g) ?? [];
  const moved: string[] = [];
  for (let at = 0; at < bytes.length; at += 8) {
    const digits = bytes
      .slice(at, at + 8)
      .reverse()
      .join('')
      .padStart(16, '0');
    const changed = addresses.hex(digits);
    moved.push(...(changed.match(/../g) ?? []).reverse());
  }
  return `ARRAY[${moved.slice(0, bytes.length).join(', ')}]`;
}

/** Columns of function_graph up to the bar, and what is called. */
const graphLine = /^(\s*(?:[\d.]+\s*\|\s*)?\d+\)[^|]*\|(?:[^|/{};]*\|)?)(.*)$/;
const graphSwitch = /^(\s*(?:[\d.]+\s*\|\s*)?\d+\)\s+)(\S.*?)-(\d+)(\s+=>\s+)(\S.*?)-(\d+)(\s*)$/;

function anonymizeGraph(line: string, rewriter: EventRewriter): string | null {
  const { names, addresses } = rewriter;
  const change = graphSwitch.exec(line);
  if (change !== null) {
    const [, before, from, fromPid, arrow, to, toPid, after] = change as unknown as readonly string[];
    return `${before}${names.task(from)}-${names.pid(fromPid)}${arrow}${names.task(to)}-${names.pid(toPid)}${after}`;
  }
  const match = graphLine.exec(line);
  if (match === null) {
    return null;
  }
  const columns = match[1].replace(
    /(\)\s+)(\S[^|]*?)-(\d+)(\s)/,
    (_, before: string, task: string, pid: string, after: string) =>
      `${before}${names.task(task)}-${names.pid(pid)}${after}`,
  );
  const event = /^(\s*\/\* )([\w.-]+)(:)(.*?)(\s*\*\/\s*)$/.exec(match[2]);
  if (event !== null) {
    const [, open, name, colon, fields, close] = event as unknown as readonly string[];
    return `${columns}${open}${name}${colon}${anonymizeFields(name, fields, rewriter)}${close}`;
  }
  const mark = /^(\s*\/\*).*\*\/\s*$/.exec(match[2]);
  if (mark !== null && !/=\s*-?(?:0x)?[0-9a-f]+\s*\*\//.test(match[2])) {
    return `${columns}${mark[1]}${anonymizeFields('print', match[2], rewriter)} */`;
  }
  const called = match[2]
    .replace(/\b[A-Za-z_][\w.]*\b/g, (word) => (/swiotlb|dma|iommu|^ret$|^0x[0-9a-f]+$/.test(word) ? word : 'fn'))
    .replace(/\b0x([0-9a-f]+)/g, (_, digits: string) => `0x${addresses.hex(digits)}`);
  return `${columns}${called}`;
}
