import type * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';

/** What the extension needs of the place it runs in: Node, or a worker of the browser. */
export interface Host {
  /** Not started yet. `stop` ends what the client leaves behind. */
  createClient(
    context: vscode.ExtensionContext,
    options: LanguageClientOptions,
  ): Promise<{ readonly client: BaseLanguageClient; readonly stop: () => Promise<void> }>;
  /** The server reads the file itself, as it is on disk: its text need not be sent. */
  isOnDisk(uri: vscode.Uri): boolean;
  /** Lines of the file can be read, one by one. */
  canRead(uri: vscode.Uri): boolean;
  /** The sentence for those that cannot. */
  readonly refusal: () => string;
  /** The first bytes of a file. */
  readHead(uri: vscode.Uri, bytes: number): Promise<Uint8Array>;
  /** Starts what reads the lines of one file for the custom editor. */
  startLineReader(extensionUri: vscode.Uri, file: vscode.Uri, events: LineReaderPort): LineReaderThread;
  /** Started by `npm start`. */
  readonly isDemo: boolean;
}

export interface LineReaderPort {
  readonly onMessage: (message: unknown) => void;
  readonly onDeath: (error: Error) => void;
}

export interface LineReaderThread {
  post(message: unknown): void;
  terminate(): Promise<void>;
}
