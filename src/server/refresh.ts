import {
  type ClientCapabilities,
  CodeLensRefreshRequest,
  type Connection,
  FoldingRangeRefreshRequest,
  InlayHintRefreshRequest,
} from 'vscode-languageserver';
import { platform } from '#platform';

/** Asks the editor to fetch anew what it shows beside the text, where it can be asked. */
export class Refresh {
  private readonly connection: Connection;
  private methods: readonly string[] = [];
  private pending = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  supports(workspace: NonNullable<ClientCapabilities['workspace']>): void {
    this.methods = [
      ...(workspace.codeLens?.refreshSupport === true ? [CodeLensRefreshRequest.method] : []),
      ...(workspace.inlayHint?.refreshSupport === true ? [InlayHintRefreshRequest.method] : []),
      ...(workspace.foldingRange?.refreshSupport === true ? [FoldingRangeRefreshRequest.method] : []),
    ];
  }

  /** Several documents may be analysed at once: the editor is asked once. */
  all(): void {
    if (this.pending) {
      return;
    }
    this.pending = true;
    void platform.nextTurn().then(() => {
      this.pending = false;
      for (const method of this.methods) {
        this.connection.sendRequest(method).catch(() => undefined);
      }
    });
  }
}
