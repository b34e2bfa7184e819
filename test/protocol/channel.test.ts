import { describe, expect, it } from 'vitest';
import { Channel, type Handlers, method } from '../../src/protocol/channel';
import { FailureError } from '../../src/protocol/result';
import { integer, object, text } from '../../src/protocol/validate';

const left = { double: method<{ readonly value: number }, number>(object({ value: integer(0, 100) })) };
const right = { shout: method<{ readonly words: string }, string>(object({ words: text(10) })) };

/** Two ends joined by asynchronous pipes that copy like postMessage. */
function pair(handlers: Handlers<typeof left>) {
  const bugs: string[] = [];
  const wire: unknown[] = [];
  const onBug = (name: string) => bugs.push(name);
  const a: Channel<typeof left, typeof right> = new Channel<typeof left, typeof right>({
    methods: left,
    handlers,
    onBug,
    post: (message) => queueMicrotask(() => void b.receive(structuredClone(message))),
  });
  const b: Channel<typeof right, typeof left> = new Channel<typeof right, typeof left>({
    methods: right,
    handlers: { shout: ({ words }) => words.toUpperCase() },
    onBug,
    post: (message) => {
      wire.push(message);
      queueMicrotask(() => void a.receive(structuredClone(message)));
    },
  });
  return { a, b, bugs, wire };
}

async function failureOf(call: Promise<unknown>): Promise<{ kind: string; message: string }> {
  try {
    await call;
  } catch (error) {
    expect(error).toBeInstanceOf(FailureError);
    return (error as FailureError).failure;
  }
  throw new Error('the call was answered');
}

describe('channel', () => {
  it('answers in both directions, also when questions cross', async () => {
    const { a, b } = pair({ double: ({ value }) => value * 2 });
    const answers = await Promise.all([
      b.call('double', { value: 21 }),
      a.call('shout', { words: 'slots' }),
      b.call('double', { value: 1 }),
    ]);
    expect(answers).toEqual([42, 'SLOTS', 2]);
  });

  it('answers with a bug when the handler throws, and reports it', async () => {
    const { b, bugs } = pair({
      double: () => {
        throw new TypeError('secret detail');
      },
    });
    const failure = await failureOf(b.call('double', { value: 1 }));
    expect(failure.kind).toBe('bug');
    expect(failure.message).not.toContain('secret detail');
    expect(bugs).toEqual(['double']);
  });

  it('passes a typed failure on as it is', async () => {
    const { b, bugs } = pair({
      double: async () => {
        throw new FailureError({ kind: 'unavailable', message: 'The file is gone.' });
      },
    });
    expect(await failureOf(b.call('double', { value: 1 }))).toEqual({
      kind: 'unavailable',
      message: 'The file is gone.',
    });
    expect(bugs).toEqual([]);
  });

  it('refuses parameters that the method does not take, and says what was expected', async () => {
    const { b } = pair({ double: ({ value }) => value });
    for (const params of [{ value: 101 }, { value: '1' }, {}, null, { value: 1, extra: 2 }]) {
      const failure = await failureOf(b.call('double', params as never));
      expect(failure.kind).toBe('invalid');
      expect(failure.message).toMatch(/must be|unknown key/);
    }
  });

  it('refuses methods that do not exist, inherited names included', async () => {
    const { b } = pair({ double: ({ value }) => value });
    for (const name of ['triple', 'constructor', 'toString', '__proto__']) {
      expect((await failureOf(b.call(name as never, null as never))).kind).toBe('invalid');
    }
  });

  it('ignores messages of others and answers to nobody', async () => {
    const { a, wire } = pair({ double: ({ value }) => value });
    for (const message of [
      null,
      7,
      'x',
      {},
      { swiotlbLens: 'question' },
      { swiotlbLens: 'question', id: 'x', method: 'double' },
      { swiotlbLens: 'answer', id: 99, result: 5 },
    ]) {
      await a.receive(message);
    }
    expect(wire).toEqual([]);
  });

  it('cancels what is waiting when it is closed', async () => {
    const { b } = pair({ double: () => new Promise<number>(() => undefined) });
    const call = failureOf(b.call('double', { value: 1 }));
    b.close();
    expect((await call).kind).toBe('cancelled');
  });

  it('turns a malformed answer into a failure', async () => {
    const { a } = pair({ double: ({ value }) => value });
    const silent: Channel<typeof right, typeof left> = new Channel<typeof right, typeof left>({
      methods: right,
      handlers: { shout: () => '' },
      onBug: () => undefined,
      post: () => undefined,
    });
    const call = failureOf(silent.call('double', { value: 1 }));
    await silent.receive({ swiotlbLens: 'answer', id: 1, result: { ok: 'maybe' } });
    expect((await call).kind).toBe('invalid');
    a.close();
  });
});
