/** Typed arrays a table column may be made of. */
export type ColumnArray =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

type ColumnConstructor = {
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): ColumnArray;
  readonly BYTES_PER_ELEMENT: number;
};

const constructors = {
  f64: Float64Array,
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  i16: Int16Array,
  u16: Uint16Array,
  i8: Int8Array,
  u8: Uint8Array,
} as const;

export type ColumnType = keyof typeof constructors;
export type ColumnSpec = Readonly<Record<string, ColumnType>>;

type ArrayOf<T extends ColumnType> = InstanceType<(typeof constructors)[T]>;
export type Columns<S extends ColumnSpec> = { [K in keyof S]: ArrayOf<S[K]> };

/**
 * A struct of arrays that grows by doubling.
 * The columns live in SharedArrayBuffers where the host has them, so that workers read them without a copy.
 * After growth the column objects are new: readers take `columns` from a snapshot, writers read the field each time.
 */
export class GrowableTable<S extends ColumnSpec> {
  columns: Columns<S>;
  length = 0;
  /** Bumped when an already written row is patched. */
  version = 0;
  private capacity: number;
  private readonly spec: S;

  constructor(spec: S, initialCapacity = 256) {
    this.spec = spec;
    this.capacity = initialCapacity;
    this.columns = this.allocate(initialCapacity);
  }

  /** Makes room for one more row and returns its index. All its cells are 0 until written. */
  addRow(): number {
    if (this.length === this.capacity) {
      this.grow(this.capacity * 2);
    }
    return this.length++;
  }

  /**
   * The rows as of now, for readers: shares the columns, keeps this length.
   * Rows patched later show through while the table has not grown; `version` tells readers of both apart.
   */
  view(): GrowableTable<S> {
    const view: GrowableTable<S> = Object.create(GrowableTable.prototype);
    return Object.assign(view, this);
  }

  bytesPerRow(): number {
    let bytes = 0;
    for (const key in this.spec) {
      bytes += constructors[this.spec[key]].BYTES_PER_ELEMENT;
    }
    return bytes;
  }

  private grow(capacity: number): void {
    const old = this.columns;
    const grown = this.allocate(capacity);
    for (const key in this.spec) {
      grown[key].set(old[key] as never);
    }
    this.columns = grown;
    this.capacity = capacity;
  }

  private allocate(capacity: number): Columns<S> {
    // Starting from a copy of the spec keeps the object in fast mode: V8 turns objects that are filled by computed
    // keys into hash tables after a dozen of them, and every access to a column would pay for it.
    const columns: Record<string, unknown> = { ...this.spec };
    for (const key in this.spec) {
      const arrayType = constructors[this.spec[key]] as ColumnConstructor;
      columns[key] = new arrayType(allocateBuffer(capacity * arrayType.BYTES_PER_ELEMENT));
    }
    return columns as Columns<S>;
  }
}

/** A shared buffer where the host allows it (Node, isolated pages), else a plain one. */
export function allocateBuffer(byteLength: number): ArrayBufferLike {
  return typeof SharedArrayBuffer === 'function' ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength);
}
