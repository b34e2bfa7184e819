import type { TraceDat } from './container';
import type { EventFormat, FormatField } from './eventFormat';

/** Values of one record by field name. */
class Values {
  private readonly format: EventFormat;
  private readonly data: DataView;
  private readonly dat: TraceDat;

  constructor(dat: TraceDat, format: EventFormat, data: DataView) {
    this.dat = dat;
    this.format = format;
    this.data = data;
  }

  field(name: string): FormatField | undefined {
    return this.format.fields.find((field) => field.name === name);
  }

  /** The first of the named fields that this kernel has. */
  any(...names: string[]): FormatField | undefined {
    for (const name of names) {
      const field = this.field(name);
      if (field !== undefined) {
        return field;
      }
    }
    return undefined;
  }

  number(field: FormatField | undefined): bigint {
    return field === undefined ? 0n : this.scalar(field.offset, field.size, field.signed);
  }

  hex(field: FormatField | undefined): string {
    return BigInt.asUintN(64, this.number(field)).toString(16);
  }

  text(field: FormatField | undefined): string {
    if (field === undefined) {
      return '';
    }
    const { start, length } = this.place(field);
    let text = '';
    for (let i = start; i < start + length && i < this.data.byteLength; i++) {
      const byte = this.data.getUint8(i);
      if (byte === 0) {
        break;
      }
      text += String.fromCharCode(byte);
    }
    return text;
  }

  list(field: FormatField | undefined): bigint[] {
    // A damaged type may no longer say that it is an array.
    if (field === undefined || field.elementBytes <= 0) {
      return [];
    }
    const { start, length } = this.place(field);
    const values: bigint[] = [];
    for (
      let i = start;
      i + field.elementBytes <= Math.min(start + length, this.data.byteLength);
      i += field.elementBytes
    ) {
      values.push(this.scalar(i, field.elementBytes, false));
    }
    return values;
  }

  /** Where the bytes of a field are: inline, or where its location word points. */
  private place(field: FormatField): { start: number; length: number } {
    if (field.location === 'inline') {
      // A text of size 0 reaches to the end of the record (print events).
      return { start: field.offset, length: field.size === 0 ? this.data.byteLength - field.offset : field.size };
    }
    const word = Number(this.scalar(field.offset, 4, false));
    const start = (word & 0xffff) + (field.location === 'relative' ? field.offset + 4 : 0);
    return { start, length: word >>> 16 };
  }

  private scalar(offset: number, size: number, signed: boolean): bigint {
    const { littleEndian } = this.dat;
    if (offset + size > this.data.byteLength) {
      return 0n;
    }
    switch (size) {
      case 1:
        return BigInt(signed ? this.data.getInt8(offset) : this.data.getUint8(offset));
      case 2:
        return BigInt(signed ? this.data.getInt16(offset, littleEndian) : this.data.getUint16(offset, littleEndian));
      case 4:
        return BigInt(signed ? this.data.getInt32(offset, littleEndian) : this.data.getUint32(offset, littleEndian));
      case 8:
        return signed ? this.data.getBigInt64(offset, littleEndian) : this.data.getBigUint64(offset, littleEndian);
      default:
        return 0n;
    }
  }
}

const directions = ['BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE', 'NONE'];
const attributeNames = [
  '',
  'WEAK_ORDERING',
  'WRITE_COMBINE',
  '',
  'NO_KERNEL_MAPPING',
  'SKIP_CPU_SYNC',
  'FORCE_CONTIGUOUS',
  'ALLOC_SINGLE_PAGES',
  'NO_WARN',
  'PRIVILEGED',
  'MMIO',
];

/**
 * The text of a record behind the time: `NAME: FIELDS`, for the events of the field as their print formats say
 * (include/trace/events/dma.h and swiotlb.h), for all others `NAME: key=value …`.
 */
export function renderRecord(dat: TraceDat, format: EventFormat, data: DataView): string {
  const values = new Values(dat, format, data);
  return `${format.name === 'print' ? 'tracing_mark_write' : format.name}: ${renderFields(dat, format, values)}`;
}

function renderFields(dat: TraceDat, format: EventFormat, values: Values): string {
  const own = format.fields.filter(({ name }) => !name.startsWith('common_'));
  if (format.name === 'print' || format.name === 'bputs') {
    return oneLine(values.text(values.any('buf', 'str')));
  }
  if (format.system === 'printk' && format.name === 'console') {
    return oneLine(values.text(values.any('msg', 'text')));
  }
  if (values.field('__probe_ip') !== undefined) {
    return `(${symbolAt(dat, values.number(values.field('__probe_ip')))}) ${plain(values, own)}`.trimEnd();
  }
  if (values.field('__probe_func') !== undefined) {
    const caller = symbolAt(dat, values.number(values.field('__probe_ret_ip')));
    const symbol = symbolAt(dat, values.number(values.field('__probe_func'))).replace(/\+0x0$/, '');
    return `(${caller} <- ${symbol}) ${plain(values, own)}`.trimEnd();
  }
  if (format.system === 'swiotlb') {
    const force = values.number(values.any('force', 'swiotlb_force'));
    const word = ['NORMAL', 'FORCE', 'NO_FORCE'][Number(force)] ?? 'NORMAL';
    const device = values.text(values.any('dev_name', 'device'));
    return `dev_name: ${device} dma_mask=${values.hex(values.field('dma_mask'))} dev_addr=${values.hex(values.field('dev_addr'))} size=${values.number(values.field('size'))} ${word}`;
  }
  if (format.system === 'dma') {
    return renderDma(values);
  }
  return plain(values, own);
}

/** All dma:* events: the fields that this one has, under the names of the printed form. */
function renderDma(values: Values): string {
  const parts = [values.text(values.any('device', 'dev_name'))];
  const direction = values.field('dir');
  if (direction !== undefined) {
    parts.push(`dir=${directions[Number(values.number(direction))] ?? 'NONE'}`);
  }
  const dmaList = values.field('dma_addrs');
  const originalList = values.any('phys_addrs', 'addrs');
  const total = values.any('full_nents');
  if (total !== undefined) {
    const traced = values.list(originalList).length;
    parts.push(
      `nents=${traced}/${values.number(total)} ents=${values.list(dmaList).length}/${values.number(values.field('full_ents'))}`,
    );
    if (values.number(values.field('truncated')) !== 0n) {
      parts.push('[TRUNCATED]');
    }
  }
  const isError = values.field('err') !== undefined;
  if (dmaList !== undefined) {
    parts.push(`dma_addrs=${list(values.list(dmaList))}`);
  } else if (isError && originalList !== undefined) {
    // As the kernel prints it: physical addresses under this name.
    parts.push(`dma_addrs=${list(values.list(originalList))}`);
  }
  const lengths = values.any('lengths', 'sizes');
  if (lengths !== undefined) {
    parts.push(`sizes=${list(values.list(lengths))}`);
  }
  if (originalList !== undefined && !isError) {
    parts.push(`phys_addrs=${list(values.list(originalList))}`);
  }
  if (isError) {
    parts.push(`err=${values.number(values.field('err'))}`);
  }
  const address = values.any('dma_addr', 'addr');
  if (address !== undefined) {
    parts.push(`dma_addr=${values.hex(address)}`);
  }
  if (values.field('size') !== undefined) {
    parts.push(`size=${values.number(values.field('size'))}`);
  }
  if (values.field('phys_addr') !== undefined) {
    parts.push(`phys_addr=${values.hex(values.field('phys_addr'))}`);
  }
  if (values.field('attrs') !== undefined) {
    parts.push(`attrs=${attributes(Number(values.number(values.field('attrs'))))}`);
  }
  return parts.join(' ');
}

function list(values: readonly bigint[]): string {
  return `{${values.map((value) => `0x${value.toString(16)}`).join(',')}}`;
}

function attributes(bits: number): string {
  const names: string[] = [];
  let unknown = 0;
  for (let bit = 0; bit < 31; bit++) {
    if ((bits & (1 << bit)) !== 0) {
      const name = attributeNames[bit] ?? '';
      if (name === '') {
        unknown |= 1 << bit;
      } else {
        names.push(name);
      }
    }
  }
  if (unknown !== 0) {
    names.push(`0x${unknown.toString(16)}`);
  }
  return names.join('|');
}

/** `key=value` for every field of its own; addresses in hex, texts quoted. */
function plain(values: Values, fields: readonly FormatField[]): string {
  return fields
    .filter(({ name }) => !name.startsWith('__probe_'))
    .map((field) => {
      if (field.isText) {
        return `${field.name}="${oneLine(values.text(field))}"`;
      }
      if (field.elementBytes > 0) {
        return `${field.name}=${list(values.list(field))}`;
      }
      const isAddress =
        /^(?:unsigned long|u64|x64|void \*|phys_addr_t|dma_addr_t)/.test(field.type) &&
        !/size|slabs|areas|count|len/.test(field.name);
      return `${field.name}=${isAddress ? `0x${values.hex(field)}` : values.number(field)}`;
    })
    .join(' ');
}

/** `symbol+0xoffset`, or the bare address when the file has no symbol for it. */
function symbolAt(dat: TraceDat, address: bigint): string {
  const { symbolAddresses, symbolNames } = dat;
  let low = 0;
  let high = symbolAddresses.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbolAddresses[middle] <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const unsigned = BigInt.asUintN(64, address);
  return low === 0
    ? `0x${unsigned.toString(16)}`
    : `${symbolNames[low - 1]}+0x${(address - symbolAddresses[low - 1]).toString(16)}`;
}

function oneLine(text: string): string {
  return text.trimEnd().replace(/[\r\n]+/g, ' ');
}
