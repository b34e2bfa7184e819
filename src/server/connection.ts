import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';

/** To the editor, as it was asked for on the command line of the process: `#connection` in Node. */
export const connection = createConnection(ProposedFeatures.all);
