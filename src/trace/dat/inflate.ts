/**
 * zlib (RFC 1950/1951) for the compressed sections of trace.dat: this layer has no host library, and the sections are
 * small and of known size. Returns null when the data is damaged.
 */
export function inflateZlib(input: Uint8Array, sizeBytes: number): Uint8Array | null {
  const output = new Uint8Array(sizeBytes);
  const state: BitReader = { input, position: 2, bits: 0, count: 0 };
  if (input.length < 6 || (input[0] & 15) !== 8) {
    return null;
  }
  let length = 0;
  for (let last = false; !last; ) {
    last = take(state, 1) === 1;
    const type = take(state, 2);
    if (type === 0) {
      length = copyStored(state, output, length);
    } else if (type === 1) {
      length = inflateBlock(state, output, length, fixedLiterals, fixedDistances);
    } else if (type === 2) {
      const tables = readTables(state);
      length = tables === null ? -1 : inflateBlock(state, output, length, tables[0], tables[1]);
    } else {
      return null;
    }
    if (length < 0 || state.position > input.length + 4) {
      return null;
    }
  }
  return length === sizeBytes ? output : null;
}

interface BitReader {
  readonly input: Uint8Array;
  position: number;
  bits: number;
  count: number;
}

/** Canonical Huffman code: how many codes of each length, and the symbols in order. */
interface Huffman {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

const maxBits = 15;
const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const distanceExtra = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const fixedLiterals = createHuffman(
  Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)),
);
const fixedDistances = createHuffman(new Array<number>(30).fill(5));

function take(state: BitReader, count: number): number {
  while (state.count < count) {
    state.bits |= (state.input[state.position++] ?? 0) << state.count;
    state.count += 8;
  }
  const value = state.bits & ((1 << count) - 1);
  state.bits >>>= count;
  state.count -= count;
  return value;
}

function createHuffman(lengths: readonly number[]): Huffman {
  const counts = new Uint16Array(maxBits + 1);
  for (const length of lengths) {
    counts[length]++;
  }
  counts[0] = 0;
  const offsets = new Uint16Array(maxBits + 2);
  for (let length = 1; length <= maxBits; length++) {
    offsets[length + 1] = offsets[length] + counts[length];
  }
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length > 0) {
      symbols[offsets[length]++] = symbol;
    }
  });
  return { counts, symbols };
}

/** The next symbol, or -1 when no code fits. */
function decode(state: BitReader, { counts, symbols }: Huffman): number {
  let code = 0;
  let first = 0;
  let index = 0;
  for (let length = 1; length <= maxBits; length++) {
    code |= take(state, 1);
    const count = counts[length];
    if (code - count < first) {
      return symbols[index + code - first];
    }
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  return -1;
}

function copyStored(state: BitReader, output: Uint8Array, length: number): number {
  // Bytes that were already taken into the bit buffer go back.
  state.position -= state.count >> 3;
  state.bits = 0;
  state.count = 0;
  const size = state.input[state.position] | (state.input[state.position + 1] << 8);
  state.position += 4;
  if (length + size > output.length || state.position + size > state.input.length) {
    return -1;
  }
  output.set(state.input.subarray(state.position, state.position + size), length);
  state.position += size;
  return length + size;
}

function readTables(state: BitReader): [Huffman, Huffman] | null {
  const literalCount = take(state, 5) + 257;
  const distanceCount = take(state, 5) + 1;
  const codeCount = take(state, 4) + 4;
  const codeLengths = new Array<number>(19).fill(0);
  for (let i = 0; i < codeCount; i++) {
    codeLengths[lengthOrder[i]] = take(state, 3);
  }
  const codes = createHuffman(codeLengths);
  const lengths: number[] = [];
  while (lengths.length < literalCount + distanceCount) {
    const symbol = decode(state, codes);
    if (symbol < 0 || state.position > state.input.length + 4) {
      return null;
    }
    if (symbol < 16) {
      lengths.push(symbol);
      continue;
    }
    const value = symbol === 16 ? (lengths.at(-1) ?? 0) : 0;
    const repeat = symbol === 16 ? 3 + take(state, 2) : symbol === 17 ? 3 + take(state, 3) : 11 + take(state, 7);
    for (let i = 0; i < repeat; i++) {
      lengths.push(value);
    }
  }
  return [
    createHuffman(lengths.slice(0, literalCount)),
    createHuffman(lengths.slice(literalCount, literalCount + distanceCount)),
  ];
}

function inflateBlock(
  state: BitReader,
  output: Uint8Array,
  length: number,
  literals: Huffman,
  distances: Huffman,
): number {
  for (;;) {
    const symbol = decode(state, literals);
    if (symbol < 0 || state.position > state.input.length + 4) {
      return -1;
    }
    if (symbol === 256) {
      return length;
    }
    if (symbol < 256) {
      if (length >= output.length) {
        return -1;
      }
      output[length++] = symbol;
      continue;
    }
    const lengthCode = symbol - 257;
    const distanceCodeBase = lengthCode < lengthBase.length ? lengthBase[lengthCode] : -1;
    if (distanceCodeBase < 0) {
      return -1;
    }
    const run = distanceCodeBase + take(state, lengthExtra[lengthCode]);
    const distanceCode = decode(state, distances);
    if (distanceCode < 0 || distanceCode >= distanceBase.length) {
      return -1;
    }
    const distance = distanceBase[distanceCode] + take(state, distanceExtra[distanceCode]);
    if (distance > length || length + run > output.length) {
      return -1;
    }
    for (let i = 0; i < run; i++) {
      output[length] = output[length - distance];
      length++;
    }
  }
}
