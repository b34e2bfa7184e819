/** What a stretch of a line is. Text that is nothing of these gets no token. */
export type LineTokenKind =
  | 'time'
  | 'cpu'
  | 'task'
  | 'flags'
  | 'event'
  | 'function'
  | 'device'
  /** Name of a field: `dma_addr` of `dma_addr=7cb77000`. */
  | 'field'
  | 'address'
  | 'size'
  /** Directions, attributes and other words with a fixed meaning: `TO_DEVICE`, `FORCE`, `swiotlb=`. */
  | 'keyword'
  | 'number'
  /** The words that say that something failed or was lost, and the all-ones address. */
  | 'failure'
  | 'comment';

/** Zero-based UTF-16 columns inside the line. */
export interface LineToken {
  readonly start: number;
  readonly length: number;
  readonly kind: LineTokenKind;
}

/** Longer lines are coloured up to here; only scatterlists get near. */
const maxColumns = 20_000;

/**
 * The tokens of one line of any format the reader knows, in order and without overlap.
 * Works on the line alone, so a viewer may colour any line without the ones before it.
 */
export function lineTokens(text: string): readonly LineToken[] {
  const line = text.length > maxColumns ? text.slice(0, maxColumns) : text;
  const tokens: LineToken[] = [];
  if (commentLine.test(line)) {
    add(tokens, 0, line.trimEnd().length, 'comment');
    return tokens;
  }
  bodyTokens(line, prefixTokens(line, tokens), tokens);
  return tokens;
}

const commentLine = /^\s*#(?!\d)|^ ?-{20,}/;

function add(tokens: LineToken[], start: number, length: number, kind: LineTokenKind): void {
  if (length > 0) {
    tokens.push({ start, length, kind });
  }
}

type Groups = readonly (LineTokenKind | null)[];

/**
 * The columns before an event or message, one pattern per family of formats.
 * Every group of a pattern gets its token, null for none; `d` gives where the groups are.
 */
const prefixes: readonly (readonly [RegExp, Groups])[] = [
  // ftrace, trace-cmd, perf: task-pid (tgid) [cpu] flags time:
  [
    /^\s*(\S.{0,31}?[- ] *-?\d+(?:\/\d+)?)\s+(?:\(\s*(\d+|-+)\)\s+)?(\[\d{1,4}\])\s+(?:([.a-zA-Z0-9#!+*$@-]{4,8})\s+)?(\d+(?:\.\d+)?):\s+/d,
    ['task', 'number', 'cpu', 'flags', 'time'],
  ],
  // latency format: task-pid cpu+flags time+delay:
  [
    /^\s*(\S.{0,15}?-\d+)\s+(\d{1,4})([.a-zA-Z#!]{2,3}[.0-9a-f]{1,3}) (\d+us)[ +!#*$@]?:?\s+/d,
    ['task', 'cpu', 'flags', 'time'],
  ],
  // the same, verbose: task pid cpu flags need-resched preempt [raw] time (+delay):
  [
    /^\s*(\S.{0,15}?\s+\d+)\s+(\d{1,4}) ([0-9a-f]+ [0-9a-f]+ [0-9a-f]+) (\[[0-9a-f]+\] \d+(?:\.\d+ms)?) \(\+[\d.]+m?s?\):\s+/d,
    ['task', 'cpu', 'flags', 'time'],
  ],
  // function_graph: [time |] cpu) [task |] [flags |] [mark duration us] |
  [
    /^\s*(?:(\d+\.\d+) \|\s+)?(\d{1,4})\)\s+(?:(\S.{0,15}?-\d+)\s+\|\s+)?(?:([.a-zA-Z0-9#!]{4,6})\s+\|\s+)?(?:[+!#*@$]?\s*([\d.]+ us))?\s*\|/d,
    ['time', 'cpu', 'task', 'flags', 'number'],
  ],
  // a task switch of function_graph
  [/^\s*(\d{1,4})\)\s+(\S.{0,20}?-\d+)\s+=>\s+(\S.{0,20}?-\d+)/d, ['cpu', 'task', 'task']],
  // kernel log: <level>[time][caller]
  [/^(?:> ?)*(?:<\d{1,3}>)?\s*(\[\s*\d+\.\d{3,9}\])(?:\s*(\[\s*[TC]\d+\]))?/d, ['time', 'task']],
  // syslog, journald: date host kernel: [time]
  [
    /^(?:> ?)*([A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}(?:\.\d+)?) \S+ kernel:\s*(\[\s*\d+\.\d{3,9}\])?/d,
    ['time', 'time'],
  ],
  [
    /^(?:> ?)*(\[?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?\]?)(?:\s+\S+\s+kernel:)?\s*(\[\s*\d+\.\d{3,9}\])?/d,
    ['time', 'time'],
  ],
  // dmesg -T
  [/^(?:> ?)*(\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}\])/d, ['time']],
];

/** Adds the tokens of the columns before the event; returns where they end. */
function prefixTokens(line: string, tokens: LineToken[]): number {
  for (const [pattern, kinds] of prefixes) {
    const match = pattern.exec(line);
    if (match === null) {
      continue;
    }
    for (let group = 1; group < match.length; group++) {
      const kind = kinds[group - 1] ?? null;
      const range = match.indices?.[group];
      if (range !== undefined && kind !== null) {
        add(tokens, range[0], range[1] - range[0], kind);
      }
    }
    return match[0].length;
  }
  return 0;
}

/** What the value of a field is; other values are what they look like. */
const fieldKinds: ReadonlyMap<string, LineTokenKind> = new Map([
  ...fieldsOf('address', 'dma_addr dma_addrs phys_addr phys_addrs dev_addr virt_addr tlb tlb_addr orig orig_addr'),
  ...fieldsOf('address', 'ret retval bounce dma addr addrs original phys paddr dma_mask mask amask align_mask'),
  ...fieldsOf('address', 'alloc_align_mask pool pool_start pool_end start end page'),
  ...fieldsOf('size', 'size sizes mapping_size map_size len lengths sz bytes alloc_size asize nslabs slots'),
  ...fieldsOf('number', 'order nents ents nelems nareas areas pool_nareas pool_nslabs pfn err error'),
  ...fieldsOf('device', 'dev device dev_name devname'),
  ...fieldsOf('keyword', 'dir direction attrs attr flags migratetype gfp_flags force'),
]);

function fieldsOf(kind: LineTokenKind, names: string): (readonly [string, LineTokenKind])[] {
  return names.split(' ').map((name) => [name, kind] as const);
}

/** In these fields all ones means that the mapping failed; an all-ones mask is an ordinary one. */
const resultFields: ReadonlySet<string> = new Set('dma_addr dma_addrs tlb tlb_addr ret retval bounce'.split(' '));
const allOnes = /^(?:0x)?f{16}$/;

const failureWords = [
  String.raw`\[LOST (?:\d+ )?EVENTS\]`,
  String.raw`\[\d+ EVENTS DROPPED\]`,
  'swiotlb buffer is full',
  'Out of SW-IOMMU space',
  '[Cc]oherent allocation failed',
  String.raw`(?:[Cc]an ?not|[Ff]ail(?:ed)? to) alloc(?:ate)?\b`,
  'callbacks suppressed',
  'DMA bounce buffers are inactive',
  'DMA pool exhausted',
  'No memory for cc-swiotlb buffer',
  'only able to allocate',
  String.raw`\boverflow\b`,
  'soft lockup',
  'self-detected stall',
  String.raw`\[TRUNCATED\]`,
  String.raw`\[FAILED TO PARSE\]`,
].join('|');

/** Events whose device follows the name: left to the general pattern. */
const startsKnownEvent = /^(?:dma_\w+|console): /;

/** Groups of `word`, in order; the order is the priority. */
const Group = {
  failure: 1,
  probe: 2,
  caller: 3,
  parameter: 4,
  field: 5,
  labelled: 6,
  event: 7,
  function: 8,
  device: 9,
  keyword: 10,
  size: 11,
  hex: 12,
  number: 13,
} as const;

/** The next thing of a line's body that may get a token; plain words are matched whole so that nothing begins inside. */
const word = new RegExp(
  [
    `(${failureWords})`,
    String.raw`\(([A-Za-z_][\w.]*\+0x[0-9a-f]+\/0x[0-9a-f]+)(?: \[[\w-]+\])?(?: <- ([A-Za-z_][\w.]*))?(?: \[[\w-]+\])?\)`,
    String.raw`(?<![\w.])(swiotlb=)`,
    String.raw`\b([A-Za-z_]\w*)=`,
    String.raw`\b(dev_name|sz): `,
    String.raw`(?<=^|\/\* |[a-z]:|: )((?:p?swiotlb|dma)_\w+|tracing_mark_write|console|map|map_ret|unmap|unmap_ret)(?=: )`,
    String.raw`\b([a-z_]\w*(?:\.\w+)*)(?=\(\))`,
    String.raw`\b([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b|[0-9a-f]{6,16}\.[a-z][\w-]*)`,
    String.raw`\b(FORCE|NORMAL|NO_FORCE|FORCEOFF|TO_DEVICE|FROM_DEVICE|BIDIRECTIONAL|software IO TLB)\b`,
    String.raw`\b(\d+(?:\.\d+)? ?(?:bytes|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB|slabs|slots)\b|\d+ \(slots\))`,
    String.raw`\b(0x[0-9a-fA-F]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{5,})\b`,
    String.raw`\b(\d+(?:\.\d+)?)\b`,
    String.raw`[A-Za-z_0-9][\w.@-]*`,
  ].join('|'),
  'g',
);

/** `nvme 0000:05:00.0: swiotlb buffer …`: the driver, the device, then the message. */
const messageDevice =
  /(?:[\w.-]+ )?([\w.:@-]+): (?:DMA: )?(?=swiotlb |overflow |Out of SW|DMA addr|DMA bounce|coherent )/y;
/** Probes may have any name: the first word behind the columns of a trace is the event. */
const anyEvent = /(\w+)(?=: )/y;
const eventDevice = /:\s+([^\s=]+)(?= [a-z_]+=)/y;
const deviceValue = /"?([^\s"]+)/y;
const parameterValue = /[^\s"']+/y;
const keywordValue = /[^\s,;)]+/y;
const numberValue = /[\s,[{(]*((?:0x)?[0-9a-f]+)\b(?![=.:])/y;

function bodyTokens(line: string, from: number, tokens: LineToken[]): void {
  const isLog = tokens.every((token) => token.kind === 'time');
  let at = from;
  if (isLog) {
    at += deviceOf(messageDevice, line, from, tokens);
  } else if (!startsKnownEvent.test(line.slice(from, from + 40))) {
    at = addMatch(anyEvent, line, from, tokens, 'event');
  }
  for (;;) {
    word.lastIndex = at;
    const match = word.exec(line);
    if (match === null) {
      return;
    }
    const group = match.findIndex((text, index) => index > 0 && text !== undefined);
    const text = match[group] ?? '';
    const start = match.index;
    at = start + match[0].length;
    switch (group) {
      case Group.failure:
        add(tokens, start, text.length, 'failure');
        break;
      case Group.probe: {
        const caller = match[Group.caller] ?? '';
        add(tokens, start + 1, text.length, 'function');
        add(tokens, start + match[0].lastIndexOf(caller), caller.length, 'function');
        break;
      }
      case Group.parameter:
        add(tokens, start, text.length, 'keyword');
        at = addMatch(parameterValue, line, at, tokens, 'number');
        break;
      case Group.field:
      case Group.labelled:
        add(tokens, start, text.length, 'field');
        at = fieldValue(text, line, at, tokens);
        break;
      case Group.event:
        add(tokens, start, text.length, 'event');
        at += text.startsWith('dma_')
          ? deviceOf(eventDevice, line, at, tokens)
          : text === 'console'
            ? deviceOf(messageDevice, line, at + 2, tokens)
            : 0;
        break;
      case Group.function:
        add(tokens, start, text.length, 'function');
        break;
      case Group.device:
        add(tokens, start, text.length, 'device');
        break;
      case Group.keyword:
        add(tokens, start, text.length, 'keyword');
        break;
      case Group.size:
        add(tokens, start, text.length, 'size');
        break;
      case Group.hex:
        add(tokens, start, text.length, allOnes.test(text) ? 'failure' : 'address');
        break;
      case Group.number:
        add(tokens, start, text.length, 'number');
        break;
      default:
    }
  }
}

/** Adds the device that a pattern finds at a column; returns how far the pattern went. */
function deviceOf(pattern: RegExp, line: string, at: number, tokens: LineToken[]): number {
  pattern.lastIndex = at;
  const match = pattern.exec(line);
  if (match === null) {
    return 0;
  }
  add(tokens, at + match[0].lastIndexOf(match[1]), match[1].length, 'device');
  return match[0].length;
}

/** Adds the value or the list of values of a field; returns where they end. */
function fieldValue(field: string, line: string, at: number, tokens: LineToken[]): number {
  const kind = fieldKinds.get(field);
  switch (kind) {
    case undefined:
      return at;
    case 'device':
      return addMatch(deviceValue, line, at, tokens, 'device');
    case 'keyword':
      return addMatch(keywordValue, line, at, tokens, 'keyword');
    default: {
      const isList = line[at] === '[' || line[at] === '{';
      let end = at;
      do {
        numberValue.lastIndex = end;
        const match = numberValue.exec(line);
        if (match === null || (!isList && match[0] !== match[1])) {
          return end;
        }
        end += match[0].length;
        const failed = resultFields.has(field) && allOnes.test(match[1]);
        add(tokens, end - match[1].length, match[1].length, failed ? 'failure' : kind);
      } while (isList);
      return end;
    }
  }
}

function addMatch(pattern: RegExp, line: string, at: number, tokens: LineToken[], kind: LineTokenKind): number {
  pattern.lastIndex = at;
  const match = pattern.exec(line);
  if (match === null) {
    return at;
  }
  const text = match[1] ?? match[0];
  add(tokens, at + match[0].indexOf(text), text.length, kind);
  return at + match[0].length;
}
