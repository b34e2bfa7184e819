import { describe, expect, it } from 'vitest';
import { PanelMemories } from '../../src/extension/panelMemories';
import type { PanelMemory } from '../../src/protocol/panel';

/** What VS Code keeps for an extension: a value that is undefined is none. */
function mockMemento(values: Record<string, unknown> = {}) {
  const kept = new Map(Object.entries(values));
  return {
    keys: () => [...kept.keys()],
    get: (key: string) => kept.get(key) as never,
    update: async (key: string, value: unknown) => void (value === undefined ? kept.delete(key) : kept.set(key, value)),
  };
}

const shown: PanelMemory = {
  runs: [{ policy: 'transient', set: {} }],
  front: 'transient',
  range: null,
  timeMode: 'clock',
  assumptions: {},
  notes: '',
  slotMap: null,
};

describe('memories of panels', () => {
  it('are kept by document, beside what others keep', async () => {
    const memento = mockMemento({ ignored: ['a'] });
    const memories = new PanelMemories(memento);
    expect(memories.of('file:///a')).toBeNull();
    await memories.keep('file:///a', shown);
    expect(memories.of('file:///a')).toEqual(shown);
    expect(memories.uris()).toEqual(['file:///a']);
    expect(memento.keys()).toContain('ignored');
  });

  it('of another version are none', () => {
    const memories = new PanelMemories(mockMemento({ 'panel file:///a': { policies: ['transient'] } }));
    expect(memories.of('file:///a')).toBeNull();
  });

  it('are no more than fifty, the newest among them', async () => {
    const memories = new PanelMemories(mockMemento());
    for (let i = 0; i < 60; i++) {
      await memories.keep(`file:///${i}`, shown);
    }
    expect(memories.uris()).toHaveLength(50);
    expect(memories.uris().at(-1)).toBe('file:///59');
    await memories.keep('file:///30', shown);
    expect(memories.uris()).toHaveLength(50);
  });
});
