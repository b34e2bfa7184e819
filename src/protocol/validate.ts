/** Checks a value that crossed a border and returns it typed, or throws `ValidationError` saying what was expected. */
export type Validator<T> = (value: unknown, at?: string) => T;

export type Validated<V> = V extends Validator<infer T> ? T : never;

export class ValidationError extends Error {
  override readonly name = 'ValidationError';
}

function fail(at: string, expected: string, value: unknown): never {
  const found = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  throw new ValidationError(`${at === '' ? 'the message' : at} must be ${expected}, not ${found}`);
}

/** A string of at most `maxLength` UTF-16 units. */
export function text(maxLength = 4096): Validator<string> {
  return (value, at = '') => {
    if (typeof value !== 'string' || maxLength < value.length) {
      fail(at, `a string of at most ${maxLength} characters`, value);
    }
    return value;
  };
}

/** A finite number between the bounds, both included. */
export function finite(min = -Number.MAX_VALUE, max = Number.MAX_VALUE): Validator<number> {
  return (value, at = '') => {
    if (typeof value !== 'number' || !Number.isFinite(value) || value < min || max < value) {
      fail(at, `a number from ${min} to ${max}`, value);
    }
    return value;
  };
}

/** A whole number between the bounds, both included. */
export function integer(min: number, max: number): Validator<number> {
  return (value, at = '') => {
    if (!Number.isInteger(value) || (value as number) < min || max < (value as number)) {
      fail(at, `a whole number from ${min} to ${max}`, value);
    }
    return value as number;
  };
}

export const bool: Validator<boolean> = (value, at = '') => {
  if (typeof value !== 'boolean') {
    fail(at, 'true or false', value);
  }
  return value;
};

export function oneOf<const T extends string>(...members: readonly T[]): Validator<T> {
  return (value, at = '') => {
    if (!members.includes(value as T)) {
      fail(at, `one of ${members.join(', ')}`, value);
    }
    return value as T;
  };
}

export function nullable<T>(inner: Validator<T>): Validator<T | null> {
  return (value, at = '') => (value === null || value === undefined ? null : inner(value, at));
}

export function listOf<T>(inner: Validator<T>, maxLength = 10_000): Validator<readonly T[]> {
  return (value, at = '') => {
    if (!Array.isArray(value) || maxLength < value.length) {
      fail(at, `a list of at most ${maxLength} members`, value);
    }
    // Not `map`: it would skip the holes of a sparse list, and let them through.
    return Array.from(value, (member, index) => inner(member, `${at}[${index}]`));
  };
}

/** Exactly these keys; unknown keys are refused, so that a typo does not pass silently. */
export function object<const S extends Readonly<Record<string, Validator<unknown>>>>(
  shape: S,
): Validator<{ readonly [K in keyof S]: Validated<S[K]> }> {
  return (value, at = '') => {
    const record = asRecord(value, at);
    for (const key of Object.keys(record)) {
      if (!Object.hasOwn(shape, key)) {
        throw new ValidationError(`${at === '' ? 'the message' : at} has an unknown key '${key.slice(0, 40)}'`);
      }
    }
    const checked: Record<string, unknown> = {};
    for (const key of Object.keys(shape)) {
      checked[key] = shape[key]!(
        Object.hasOwn(record, key) ? record[key] : undefined,
        at === '' ? key : `${at}.${key}`,
      );
    }
    return checked as { readonly [K in keyof S]: Validated<S[K]> };
  };
}

/** More settings, or longer ones, than any policy could take. */
const mostSettings = 256;
const longestSetting = 4096;

/** Plain settings of a policy: name to number, string or boolean. */
export const settings: Validator<Readonly<Record<string, number | string | boolean>>> = (value, at = '') => {
  const record = asRecord(value, at);
  const entries = Object.entries(record);
  if (mostSettings < entries.length) {
    fail(at, `an object of at most ${mostSettings} settings`, value);
  }
  const checked: Record<string, number | string | boolean> = {};
  for (const [key, setting] of entries) {
    const isPlain =
      typeof setting === 'boolean' ||
      (typeof setting === 'string' && setting.length <= longestSetting) ||
      Number.isFinite(setting);
    if (64 < key.length || !isPlain) {
      fail(
        `${at}.${key.slice(0, 40)}`,
        `a number, a boolean or a string of at most ${longestSetting} characters`,
        setting,
      );
    }
    checked[key] = setting as number | string | boolean;
  }
  return checked;
};

export const nothing: Validator<null> = () => null;

function asRecord(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(at, 'an object', value);
  }
  return value as Readonly<Record<string, unknown>>;
}
