import { platform } from '#platform';
import { anonymizeSentences, startAnonymizing } from '../analysis/anonymize';
import { concatBytes } from '../base/bytes';
import { rewriteInputs } from '../node/rewriteInput';
import type { AnonymizedView, AnonymizeParams } from '../protocol/anonymize';
import { FailureError } from '../protocol/result';

/** Files go to files beside; a text without a file comes back as a text. */
export async function anonymizedView(
  { uris, target, text }: AnonymizeParams,
  cancelled: { readonly isCancellationRequested: boolean },
): Promise<AnonymizedView> {
  const anonymizer = startAnonymizing();
  if (text !== null) {
    const bytes = new TextEncoder().encode(text);
    const survey = anonymizer.survey('');
    survey.push(bytes);
    survey.end();
    const rewrite = anonymizer.rewrite('');
    const output = new TextDecoder().decode(concatBytes([rewrite.push(bytes), rewrite.end()]));
    return { uris: [], text: output, sentences: anonymizeSentences(anonymizer.report()) };
  }
  const result = await rewriteInputs(
    uris.map(pathOf),
    { path: pathOf(target), isFolder: uris.length > 1 },
    anonymizer,
    { isCancelled: () => cancelled.isCancellationRequested },
  );
  if (!result.ok) {
    throw new FailureError({ kind: result.isCancelled ? 'cancelled' : 'unavailable', message: result.message });
  }
  return {
    uris: result.files.map((file) => platform.uriOf(file)),
    text: null,
    sentences: [...anonymizeSentences(anonymizer.report()), ...result.notes],
  };
}

function pathOf(uri: string): string {
  const path = platform.pathOf(uri);
  if (path === null) {
    throw new FailureError({ kind: 'unavailable', message: `${uri} is not a file.` });
  }
  return path;
}
