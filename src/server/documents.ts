import { TextDocument } from 'vscode-languageserver-textdocument';

/** A document or file the editor has open. */
export interface OpenDocument {
  readonly uri: string;
  /** Null: the file on disk is the text, the editor did not send it. */
  readonly text: TextDocument | null;
}

/** What changed in a document, as the protocol says it. */
export type TextChange = Parameters<typeof TextDocument.update>[1][number];

/** Open documents with their text, except where the file on disk has it. */
export class Documents {
  private readonly documents = new Map<string, { text: TextDocument; isOnDisk: boolean }>();
  /** Announced as on disk before they were opened. */
  private readonly announced = new Set<string>();
  /** Files shown in editors that are no documents, and in how many. */
  private readonly viewed = new Map<string, number>();

  open(uri: string, languageId: string, version: number, content: string): void {
    const isOnDisk = this.announced.delete(uri);
    this.documents.set(uri, { text: TextDocument.create(uri, languageId, version, content), isOnDisk });
  }

  /** The text of the file on disk is the document's text from now on. */
  setOnDisk(uri: string): void {
    const document = this.documents.get(uri);
    if (document === undefined) {
      this.announced.add(uri);
      return;
    }
    const { languageId, version } = document.text;
    this.documents.set(uri, { text: TextDocument.create(uri, languageId, version, ''), isOnDisk: true });
  }

  change(uri: string, version: number, changes: TextChange[]): void {
    const document = this.documents.get(uri);
    if (document !== undefined) {
      this.documents.set(uri, { text: TextDocument.update(document.text, changes, version), isOnDisk: false });
    }
  }

  /** An editor that is no document shows the file. */
  view(uri: string): void {
    this.viewed.set(uri, (this.viewed.get(uri) ?? 0) + 1);
  }

  /** True when it was the last one. */
  unview(uri: string): boolean {
    const left = (this.viewed.get(uri) ?? 0) - 1;
    if (0 < left) {
      this.viewed.set(uri, left);
      return false;
    }
    return this.viewed.delete(uri);
  }

  isViewed(uri: string): boolean {
    return this.viewed.has(uri);
  }

  close(uri: string): void {
    this.documents.delete(uri);
    this.announced.delete(uri);
  }

  get(uri: string): OpenDocument | undefined {
    const document = this.documents.get(uri);
    if (document === undefined) {
      return this.viewed.has(uri) ? { uri, text: null } : undefined;
    }
    return { uri, text: document.isOnDisk ? null : document.text };
  }

  uris(): string[] {
    return [...new Set([...this.documents.keys(), ...this.viewed.keys()])];
  }
}

/** A one-based line of a document, without its end. */
export function lineOf(text: TextDocument, line: number): string {
  const start = { line: line - 1, character: 0 };
  return text.getText({ start, end: { line, character: 0 } }).replace(/(?:\r\n?|\n)$/, '');
}
