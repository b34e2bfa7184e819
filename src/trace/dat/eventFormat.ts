/** One field of an event format file. */
export interface FormatField {
  readonly name: string;
  /** C type as printed, without the name. */
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  /** `__data_loc` and `__rel_loc`: the field holds offset and length of the value. */
  readonly location: 'inline' | 'data' | 'relative';
  /** Bytes of one element of an array; 0 for scalars. */
  readonly elementBytes: number;
  readonly isText: boolean;
}

/** An event format file of tracefs: the only source of field layouts, nothing is hard-coded. */
export interface EventFormat {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly fields: readonly FormatField[];
  readonly printFormat: string;
}

const elementSizes: readonly (readonly [RegExp, number])[] = [
  [/\b(?:u64|s64|__u64|__s64|dma_addr_t|phys_addr_t|long long|unsigned long long)\b/, 8],
  [/\b(?:u16|s16|__u16|__s16|short)\b/, 2],
  [/\b(?:u8|s8|__u8|__s8|char|bool)\b/, 1],
  [/\b(?:u32|s32|__u32|__s32|int)\b/, 4],
];

/** Reads a format file; null when it is none. `longBytes` is the recorded machine's. */
export function parseEventFormat(text: string, system: string, longBytes: number): EventFormat | null {
  const name = /^name:\s*(\S+)/m.exec(text)?.[1];
  const id = /^ID:\s*(\d+)/m.exec(text)?.[1];
  if (name === undefined || id === undefined) {
    return null;
  }
  const printFormat = /^print fmt:\s*(.*)$/m.exec(text)?.[1] ?? '';
  return { system, name, id: Number(id), fields: parseFields(text, longBytes), printFormat };
}

/** Format files are a few KiB; in longer text a damaged length swallowed something else. */
const maxFormatLetters = 1 << 18;

/** The `field:` lines of a format file or of header_page. */
export function parseFields(text: string, longBytes: number): FormatField[] {
  const fields: FormatField[] = [];
  if (text.length > maxFormatLetters) {
    return fields;
  }
  const pattern = /field:\s*([^;\n]+);\s*offset:\s*(\d+);\s*size:\s*(\d+);(?:\s*signed:\s*(\d);)?/g;
  for (const [, declaration, offset, size, signed] of text.matchAll(pattern)) {
    const array = /\[[^\]]*\]/.exec(declaration);
    const plain = declaration.replace(/\[[^\]]*\]/g, '').trim();
    const split = /^(.*?)(\w+)$/.exec(plain);
    if (split === null) {
      continue;
    }
    const type = split[1].trim();
    const location = type.startsWith('__data_loc') ? 'data' : type.startsWith('__rel_loc') ? 'relative' : 'inline';
    const isArray = array !== null || location !== 'inline';
    fields.push({
      name: split[2],
      type,
      offset: Number(offset),
      size: Number(size),
      signed: signed === '1',
      location,
      elementBytes: isArray ? elementBytes(type, longBytes) : 0,
      isText: isArray && /\bchar\b/.test(type) && !/\bunsigned char\b/.test(type),
    });
  }
  return fields;
}

function elementBytes(type: string, longBytes: number): number {
  for (const [pattern, bytes] of elementSizes) {
    if (pattern.test(type)) {
      return bytes;
    }
  }
  return longBytes;
}
