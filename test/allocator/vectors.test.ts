import { describe, expect, it } from 'vitest';
import { runVectors } from '../../src/replay/vectors';
import { listFixtures, readFixtureText } from '../support/fixtures';

const files = listFixtures('vectors').filter((name) => name.includes('.jsonl'));
const read = (name: string): string => readFixtureText(`vectors/${name.replace(/\.(gz|zst)$/, '')}`);

describe('allocator vectors: every field of every operation equals what the kernel did', () => {
  it.each(files)('%s', (name) => {
    const text = read(name);
    const result = runVectors(text);
    expect(result.first).toBeNull();
    expect(result.agree).toBe(text.trim().split('\n').length - 1);
  });

  it('covers every family', () => {
    expect(new Set(files.map((name) => name.split(/[-.]/)[0]))).toEqual(
      new Set(['boot', 'dyn', 'fixed', 'page64k', 'restricted', 'v61', 'v66']),
    );
  });
});

describe('the vector runner', () => {
  const lines = read('dyn-a4-1000.jsonl').trim().split('\n');
  const at = (wanted: (row: Record<string, unknown>) => boolean): number => {
    const index = lines.findIndex((line) => wanted(JSON.parse(line)));
    expect(index).toBeGreaterThan(0);
    return index;
  };

  /** Changes one operation and expects the runner to point at its line and at the field. */
  function checkDetects(index: number, field: string, change: (row: Record<string, unknown>) => void): void {
    const row = JSON.parse(lines[index]);
    change(row);
    const changed = [...lines.slice(0, index), JSON.stringify(row)].join('\n');
    const { first, disagree } = runVectors(changed);
    expect(disagree).toBe(1);
    expect(first?.line).toBe(index + 1);
    expect(Object.keys(JSON.parse(first?.expected ?? '{}'))).toContain(field);
    expect(first?.got).not.toBe(first?.expected);
  }

  it('notices a wrong slot', () =>
    checkDetects(
      at((row) => row.op === 'map' && row.r !== null),
      'r',
      (row) => ((row.r as { slot: number }).slot += 1),
    ));
  it('notices a wrong counter', () => checkDetects(3, 'st', (row) => ((row.st as number[])[1] += 1)));
  it('notices a wrong probe count', () =>
    checkDetects(
      at((row) => (row.cost as number[] | undefined)?.[1] === 574),
      'cost',
      (row) => ((row.cost as number[])[1] = 573),
    ));
  it('notices a wrong message', () =>
    checkDetects(
      at((row) => row.msg !== undefined),
      'msg',
      (row) => ((row.msg as string[])[0] = 'warn:full'),
    ));
  it('notices a missing request to the page allocator', () =>
    checkDetects(
      at((row) => row.op === 'unmap' && row.env !== undefined),
      'env',
      (row) => ((row.env as { order: number }[])[0].order += 1),
    ));
  it('notices a wrong free list', () =>
    checkDetects(
      at((row) => row.op === 'dump'),
      'pools',
      (row) => ((row.pools as { listHash: number }[])[0].listHash ^= 1),
    ));
  it('notices a worker that is not pending', () =>
    checkDetects(
      at((row) => row.pending === true),
      'pending',
      (row) => {
        row.pending = false;
      },
    ));

  it('counts what it cannot read as a disagreement', () => {
    expect(runVectors('{"type":"header"}\n')).toMatchObject({ operations: 1, disagree: 1 });
    expect(runVectors('not json\n')).toMatchObject({ operations: 1, disagree: 1, first: { line: 1 } });
    expect(runVectors('{"op":"map"}')).toMatchObject({ disagree: 1, first: { line: 1, expected: 'a header' } });
    expect(runVectors(`${lines[0]}\n{"i":0,"op":"dance"}`)).toMatchObject({ operations: 1, disagree: 1 });
    expect(runVectors('')).toMatchObject({ operations: 0, agree: 0, disagree: 0, isVectors: false, first: null });
  });
});
