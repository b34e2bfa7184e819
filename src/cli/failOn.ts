import { causes } from '../model/cause';

/**
 * The gate of `--fail-on`: an expression over the fields of a command's JSON object.
 * Numbers, fields (`ledger.lost`, `failures.length`, `results.0.failed`), + - * /, comparisons, and, or, parentheses.
 */

/** A gate that cannot be read: wrong usage. */
export class FailOnError extends Error {
  override readonly name = 'FailOnError';
}

/** true: the gate fails. unknown: what it needs and nobody knows (a field is null, a division by zero). */
export type GateResult = { readonly failed: boolean; readonly unknown: readonly string[] };

type Value = number | boolean | null;
type Evaluate = (object: unknown, unknown: Set<string>) => Value;

/** Reads an expression; throws FailOnError with the place of the mistake. */
export function parseFailOn(text: string): (object: unknown) => GateResult {
  const parser = new Parser(text);
  const evaluate = parser.parse();
  return (object) => {
    const unknown = new Set<string>();
    const value = evaluate(object, unknown);
    // A gate that cannot be decided has not been passed.
    return {
      failed: value === null || value === true || (typeof value === 'number' && value !== 0),
      unknown: [...unknown],
    };
  };
}

/** Objects with nothing but counts by name: a name that did not occur counts 0. Names there may have hyphens. */
const tallies: ReadonlyMap<string, readonly string[] | null> = new Map([
  ['failuresByCause', causes],
  ['skipped', null],
  ['countedByName', null],
]);

const tokenPattern =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|((?:\w+\.)*(?:failuresByCause|skipped|countedByName)\.[\w-]+|[A-Za-z_]\w*(?:\.\w+)*)|(<=|>=|==|!=|[-+*/()<>=]))/y;

class Parser {
  private readonly text: string;
  private position = 0;
  private token = '';
  private kind: 'number' | 'name' | 'symbol' | 'end' = 'end';

  constructor(text: string) {
    this.text = text;
    this.advance();
  }

  parse(): Evaluate {
    const expression = this.or();
    if (this.kind !== 'end') {
      this.fail(`'${this.token}' is not expected here`);
    }
    return expression;
  }

  private or(): Evaluate {
    let left = this.and();
    while (this.kind === 'name' && this.token === 'or') {
      this.advance();
      const first = left;
      const second = this.and();
      left = (object, unknown) => {
        const a = truth(first(object, unknown));
        const b = truth(second(object, unknown));
        return a === true || b === true ? true : a === null || b === null ? null : false;
      };
    }
    return left;
  }

  private and(): Evaluate {
    let left = this.comparison();
    while (this.kind === 'name' && this.token === 'and') {
      this.advance();
      const first = left;
      const second = this.comparison();
      left = (object, unknown) => {
        const a = truth(first(object, unknown));
        const b = truth(second(object, unknown));
        return a === false || b === false ? false : a === null || b === null ? null : true;
      };
    }
    return left;
  }

  private comparison(): Evaluate {
    const left = this.sum();
    const operator = this.token;
    if (this.kind !== 'symbol' || !(operator in compare)) {
      return left;
    }
    this.advance();
    const right = this.sum();
    const test = compare[operator as keyof typeof compare];
    return (object, unknown) => {
      const a = toNumber(left(object, unknown));
      const b = toNumber(right(object, unknown));
      return a === null || b === null ? null : test(a, b);
    };
  }

  private sum(): Evaluate {
    return this.chain(() => this.product(), { '+': (a, b) => a + b, '-': (a, b) => a - b });
  }

  private product(): Evaluate {
    return this.chain(() => this.factor(), { '*': (a, b) => a * b, '/': (a, b) => (b === 0 ? null : a / b) });
  }

  private chain(
    next: () => Evaluate,
    operators: Readonly<Record<string, (a: number, b: number) => number | null>>,
  ): Evaluate {
    let left = next();
    for (;;) {
      const apply = this.kind === 'symbol' ? operators[this.token] : undefined;
      if (apply === undefined) {
        return left;
      }
      this.advance();
      const first = left;
      const second = next();
      left = (object, unknown) => {
        const a = toNumber(first(object, unknown));
        const b = toNumber(second(object, unknown));
        if (a === null || b === null) {
          return null;
        }
        const value = apply(a, b);
        if (value === null) {
          unknown.add('a division by zero');
        }
        return value;
      };
    }
  }

  private factor(): Evaluate {
    if (this.kind === 'number') {
      const value = Number(this.token);
      this.advance();
      return () => value;
    }
    if (this.kind === 'name' && this.token !== 'and' && this.token !== 'or') {
      const path = this.token;
      this.advance();
      return (object, unknown) => readField(object, path, unknown);
    }
    if (this.kind === 'symbol' && this.token === '-') {
      this.advance();
      const operand = this.factor();
      return (object, unknown) => {
        const value = toNumber(operand(object, unknown));
        return value === null ? null : -value;
      };
    }
    if (this.kind === 'symbol' && this.token === '(') {
      this.advance();
      const inner = this.or();
      this.expect(')');
      return inner;
    }
    return this.fail(this.kind === 'end' ? 'the expression ends too early' : `'${this.token}' is not expected here`);
  }

  private expect(symbol: string): void {
    if (this.token !== symbol) {
      this.fail(`'${symbol}' is missing`);
    }
    this.advance();
  }

  private advance(): void {
    tokenPattern.lastIndex = this.position;
    const match = tokenPattern.exec(this.text);
    if (match === null) {
      const rest = this.text.slice(this.position).trim();
      if (rest !== '') {
        this.fail(`'${rest}' cannot be read`);
      }
      this.kind = 'end';
      this.token = '';
      return;
    }
    this.position = tokenPattern.lastIndex;
    this.token = match[1] ?? match[2] ?? match[3] ?? '';
    this.kind = match[1] !== undefined ? 'number' : match[2] !== undefined ? 'name' : 'symbol';
  }

  private fail(reason: string): never {
    throw new FailOnError(`--fail-on '${this.text}': ${reason}`);
  }
}

const compare = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
  '==': (a: number, b: number) => a === b,
  '=': (a: number, b: number) => a === b,
  '!=': (a: number, b: number) => a !== b,
} as const;

function truth(value: Value): boolean | null {
  return value === null ? null : value === true || (typeof value === 'number' && value !== 0);
}

function toNumber(value: Value): number | null {
  return typeof value === 'boolean' ? Number(value) : value;
}

/**
 * A field that does not exist is a mistake of the gate. One that is null is unknown, and so is a place beyond the end of
 * a list: whether a gate is right must not depend on the input.
 */
function readField(object: unknown, path: string, unknown: Set<string>): Value {
  let value = object;
  let parent = '';
  for (const name of path.split('.')) {
    if (value === null || typeof value !== 'object') {
      throw new FailOnError(`--fail-on: there is no field '${path}'`);
    }
    if (!Object.hasOwn(value, name)) {
      const names = tallies.get(parent);
      if (names === null || names?.includes(name) === true) {
        return 0;
      }
      if (Array.isArray(value) && /^\d+$/.test(name)) {
        unknown.add(path);
        return null;
      }
      const known = names === undefined ? '' : `; causes are ${names.join(', ')}`;
      throw new FailOnError(`--fail-on: there is no field '${path}'${known}`);
    }
    parent = name;
    value = (value as Record<string, unknown>)[name];
    if (value === null) {
      unknown.add(path);
      return null;
    }
  }
  if (typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  throw new FailOnError(`--fail-on: the field '${path}' is no number`);
}
