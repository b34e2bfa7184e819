import * as vscode from 'vscode';

/** A trace and the line the user is at, one-based. */
export interface TracePlace {
  readonly uri: vscode.Uri;
  readonly line: number;
}

/** A custom editor that is open; see traceEditor.ts. */
export interface TraceEditorHandle {
  /** What the editor shows now: a file, or the member of an archive. */
  readonly uri: vscode.Uri;
  /** The file of the tab: the archive where `uri` is a member of one. */
  readonly fileUri: vscode.Uri;
  readonly panel: vscode.WebviewPanel;
  /** One-based line of the cursor. */
  readonly line: number;
  /** Shows a line of `uri`, which may be another member of the archive. */
  goTo(uri: vscode.Uri, line: number): Promise<void>;
}

/** The custom editors that are open, for everything that also works with text editors. */
export class TraceEditors {
  private readonly handles = new Set<TraceEditorHandle>();
  private readonly changed = new vscode.EventEmitter<void>();
  /** Another editor is active, or the cursor moved. */
  readonly onDidChange = this.changed.event;

  add(handle: TraceEditorHandle): vscode.Disposable {
    this.handles.add(handle);
    this.changed.fire();
    return new vscode.Disposable(() => {
      this.handles.delete(handle);
      this.changed.fire();
    });
  }

  fire(): void {
    this.changed.fire();
  }

  /** The editor with the focus. */
  active(): TraceEditorHandle | undefined {
    return [...this.handles].find(({ panel }) => panel.active);
  }

  /** An editor on screen, the one with the focus first. */
  visible(): TraceEditorHandle | undefined {
    return this.active() ?? [...this.handles].find(({ panel }) => panel.visible);
  }

  /** The editor of a file or of the archive it is in, one on screen first. */
  of(uri: vscode.Uri): TraceEditorHandle | undefined {
    const all = [...this.handles].filter(
      ({ fileUri }) => fileUri.toString() === uri.toString() || uri.path.startsWith(`${fileUri.path}/`),
    );
    return all.find(({ panel }) => panel.visible) ?? all[0];
  }

  uris(): vscode.Uri[] {
    return [...this.handles].map(({ uri }) => uri);
  }
}
