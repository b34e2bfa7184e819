import {
  BrowserMessageReader,
  BrowserMessageWriter,
  createConnection,
  ProposedFeatures,
} from 'vscode-languageserver/browser';

/** The worker; the types of this layer are those of Node. */
const scope = globalThis as never;

/** To the extension, over the worker's own messages: `#connection` in a browser. */
export const connection = createConnection(
  ProposedFeatures.all,
  new BrowserMessageReader(scope),
  new BrowserMessageWriter(scope),
);
