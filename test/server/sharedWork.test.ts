import { describe, expect, it } from 'vitest';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import { shareWork } from '../../src/server/sharedWork';
import type { Cancelled } from '../../src/server/thread';

/** Work that ends when the test says so, and what was done with it. */
function work() {
  const begun: { readonly abandoned: Cancelled; finish(value: string): void; fail(error: Error): void }[] = [];
  const owner = {};
  const join = (source: CancellationTokenSource, id = 'it') =>
    shareWork(
      owner,
      id,
      source.token,
      'told to stop',
      (abandoned) => new Promise<string>((resolve, reject) => begun.push({ abandoned, finish: resolve, fail: reject })),
    );
  return { begun, join };
}

const asker = () => new CancellationTokenSource();
const stopped = expect.objectContaining({ failure: { kind: 'cancelled', message: 'told to stop' } });

describe('work that several wait for', () => {
  it('is done once, and goes on while anybody waits', async () => {
    const { begun, join } = work();
    const [first, second] = [asker(), asker()];
    const answers = [join(first), join(second)];
    first.cancel();
    await expect(answers[0]).rejects.toEqual(stopped);
    expect(begun.map(({ abandoned }) => abandoned.isCancellationRequested)).toEqual([false]);
    begun[0]!.finish('done');
    await expect(answers[1]).resolves.toBe('done');
  });

  it('is given up with the last one, and begun anew for the next', async () => {
    const { begun, join } = work();
    const [first, second] = [asker(), asker()];
    const answers = [join(first), join(second)];
    let isStopped = false;
    begun[0]!.abandoned.onCancellationRequested(() => {
      isStopped = true;
    });
    first.cancel();
    await expect(answers[0]).rejects.toEqual(stopped);
    expect(isStopped).toBe(false);
    second.cancel();
    await expect(answers[1]).rejects.toEqual(stopped);
    expect(isStopped).toBe(true);
    // What was given up ends late: it has nothing to do with what was begun since.
    const third = join(asker());
    begun[0]!.fail(new Error('stopped'));
    begun[1]!.finish('anew');
    await expect(third).resolves.toBe('anew');
  });

  it('is not begun for an asker who has cancelled already', async () => {
    const { begun, join } = work();
    const early = asker();
    early.cancel();
    await expect(join(early)).rejects.toEqual(stopped);
    expect(begun).toHaveLength(0);
  });

  it('fails for all of them, and is not kept', async () => {
    const { begun, join } = work();
    const answers = [join(asker()), join(asker())];
    begun[0]!.fail(new Error('out of memory'));
    await expect(answers[0]).rejects.toThrow('out of memory');
    await expect(answers[1]).rejects.toThrow('out of memory');
    void join(asker());
    void join(asker(), 'something else');
    expect(begun).toHaveLength(3);
  });
});
