import { describe, expect, it } from 'vitest';
import { Lifeline } from '../../src/extension/lifeline';
import { FailureError } from '../../src/protocol/result';

class Lost extends Error {}

const givenUp = { kind: 'unavailable', message: 'twice' } as const;
const goneForGood = { kind: 'unavailable', message: 'no other' } as const;

function lifeline(): Lifeline {
  return new Lifeline((error) => error instanceof Lost);
}

/** A way to a server that loses so many questions; `sent` counts them. */
function way(losses: number, onLoss: () => void = () => undefined) {
  const server = {
    sent: 0,
    send: async () => {
      if (++server.sent <= losses) {
        onLoss();
        throw new Lost();
      }
      return 'answer';
    },
  };
  return server;
}

/** Lets everything that can go on go on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('Lifeline', () => {
  it('asks the next server what the last one did not answer', async () => {
    const life = lifeline();
    life.up();
    const server = way(1);
    const answer = life.ask(server.send, givenUp);
    await settle();
    // Nobody has noticed that it ended; the one that lost the question is not asked again.
    expect(server.sent).toBe(1);
    life.down();
    await settle();
    expect(server.sent).toBe(1);
    life.up();
    expect(await answer).toBe('answer');
    expect(server.sent).toBe(2);
  });

  it('holds a question back while there is no server', async () => {
    const life = lifeline();
    life.up();
    life.down();
    const server = way(0);
    const answer = life.ask(server.send, givenUp);
    await settle();
    expect(server.sent).toBe(0);
    life.up();
    expect(await answer).toBe('answer');
  });

  it('gives up a question that ended two servers', async () => {
    const life = lifeline();
    life.up();
    const server = way(3, () => {
      life.down();
      life.up();
    });
    await expect(life.ask(server.send, givenUp)).rejects.toThrow('twice');
    expect(server.sent).toBe(2);
  });

  it('does not ask again what the server refused', async () => {
    const life = lifeline();
    life.up();
    let sent = 0;
    const refuse = async () => {
      sent++;
      throw new Error('refused');
    };
    await expect(life.ask(refuse, givenUp)).rejects.toThrow('refused');
    expect(sent).toBe(1);
  });

  it('ends what waits, and what is asked later, when there is no other server', async () => {
    const life = lifeline();
    life.up();
    const waiting = life.ask(way(1).send, givenUp);
    const expected = expect(waiting).rejects.toThrow(new FailureError(goneForGood));
    await settle();
    life.gone(goneForGood);
    await expected;
    await expect(life.ask(way(0).send, givenUp)).rejects.toThrow('no other');
    life.up();
    expect(await life.ask(way(0).send, givenUp)).toBe('answer');
  });

  it('drops what could not be told, but not a defect', async () => {
    const life = lifeline();
    life.up();
    await life.tell(async () => {
      throw new Lost();
    });
    await expect(
      life.tell(async () => {
        throw new TypeError('defect');
      }),
    ).rejects.toThrow('defect');
  });
});
