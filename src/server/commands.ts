import type { LensAction } from '../analysis/codeLenses';
import { languageCommands } from '../protocol/language';
import { docPageOf } from './docs';

/** What an action of a lens is about. */
export interface ActionPlace {
  readonly uri: string;
  /** Of the whole capture. */
  readonly uris: readonly string[];
  readonly line: number;
  readonly cause: string | null;
}

/** The command of the client that does what an action says. */
export function commandFor(
  action: LensAction,
  { uri, uris, line, cause }: ActionPlace,
): { readonly command: string; readonly arguments: unknown[] } {
  const atLine = (command: string) => ({ command: languageCommands.runAtLine, arguments: [uri, line, command] });
  switch (action) {
    case 'problems':
      return { command: languageCommands.problems, arguments: [] };
    case 'replay':
      return atLine('swiotlbLens.replayDynamic');
    case 'size':
      return atLine('swiotlbLens.findPoolSize');
    case 'slotMap':
      return atLine('swiotlbLens.showSlotMap');
    case 'capture':
      return atLine('swiotlbLens.createCaptureScript');
    case 'whoHeld':
      return { command: languageCommands.whoHeld, arguments: [uri, line] };
    case 'explain':
      return { command: languageCommands.explain, arguments: [docPageOf(cause ?? 'unknown')] };
    case 'showIgnored':
      return { command: languageCommands.showIgnored, arguments: [uris] };
  }
}
