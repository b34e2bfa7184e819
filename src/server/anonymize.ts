import { fileURLToPath, pathToFileURL } from 'node:url';
import { anonymizeSentences, startAnonymizing } from '../analysis/anonymize';
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
    const output = Buffer.concat([rewrite.push(bytes), rewrite.end()]).toString('latin1');
    return { uris: [], text: output, sentences: anonymizeSentences(anonymizer.report()) };
  }
  const result = await rewriteInputs(
    uris.map((uri) => fileURLToPath(uri)),
    { path: fileURLToPath(target), isFolder: uris.length > 1 },
    anonymizer,
    { isCancelled: () => cancelled.isCancellationRequested },
  );
  if (!result.ok) {
    throw new FailureError({ kind: result.isCancelled ? 'cancelled' : 'unavailable', message: result.message });
  }
  return {
    uris: result.files.map((file) => pathToFileURL(file).href),
    text: null,
    sentences: [...anonymizeSentences(anonymizer.report()), ...result.notes],
  };
}
