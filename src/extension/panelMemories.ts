import type { Memento } from 'vscode';
import { type PanelMemory, panelMemory } from '../protocol/panel';

/** Panels that are remembered; VS Code never asks for most of them again. */
const most = 50;
const prefix = 'panel ';

/**
 * What panels last showed, by document. VS Code keeps the layout of a window and what its webviews say of themselves, but
 * writes both late: a panel may come back without a word about its trace.
 */
export class PanelMemories {
  private readonly memento: Memento;

  constructor(memento: Memento) {
    this.memento = memento;
  }

  /** Null when nothing is known, or only what another version wrote. */
  of(uri: string): PanelMemory | null {
    try {
      return panelMemory(this.memento.get(prefix + uri));
    } catch {
      return null;
    }
  }

  /** Documents with a memory, in no useful order. */
  uris(): string[] {
    return this.keys().map((key) => key.slice(prefix.length));
  }

  async keep(uri: string, shown: PanelMemory): Promise<void> {
    const others = this.keys().filter((key) => key !== prefix + uri);
    for (const key of others.slice(0, Math.max(0, others.length + 1 - most))) {
      await this.memento.update(key, undefined);
    }
    await this.memento.update(prefix + uri, shown);
  }

  private keys(): string[] {
    return this.memento.keys().filter((key) => key.startsWith(prefix));
  }
}
