import * as vscode from 'vscode';
import { checkGeometrySettings, type GeometrySettings, mergeGeometrySettings } from '../protocol/geometrySettings';

const storageKey = 'geometry';

/** What the user said about the kernels of single traces; kept with the workspace. */
export class GeometryEdits {
  private readonly storage: vscode.Memento;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;

  constructor(storage: vscode.Memento) {
    this.storage = storage;
  }

  of(uri: string): GeometrySettings {
    return checkGeometrySettings(this.all()[uri]).settings;
  }

  /** The files of one capture are analysed together, so that all of them get the same. */
  async set(uris: readonly string[], settings: GeometrySettings): Promise<void> {
    const all = { ...this.all() };
    for (const uri of uris) {
      if (Object.keys(settings).length === 0) {
        delete all[uri];
      } else {
        all[uri] = settings;
      }
    }
    await this.storage.update(storageKey, all);
    this.changed.fire();
  }

  /** The settings of a document with what was said about this one trace. */
  withEdits(section: unknown, uri: string): unknown {
    const edits = this.of(uri);
    if (Object.keys(edits).length === 0) {
      return section;
    }
    const settings = (typeof section === 'object' && section !== null ? section : {}) as Record<string, unknown>;
    return {
      ...settings,
      geometry: mergeGeometrySettings((settings['geometry'] ?? {}) as GeometrySettings, edits),
    };
  }

  private all(): Readonly<Record<string, unknown>> {
    return this.storage.get<Record<string, unknown>>(storageKey, {});
  }
}
