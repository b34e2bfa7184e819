import { stat } from 'node:fs/promises';
import { anonymizeSentences, startAnonymizing } from '../analysis/anonymize';
import { formatPercent } from '../base/format';
import { rewriteInputs } from '../node/rewriteInput';
import { type Context, Exit, UsageError } from './commands';
import { wrap } from './terminal';

/** Writes a copy of a trace, log or capture that can be given away. */
export async function runAnonymize(file: string, out: string, { terminal, flags }: Context): Promise<number> {
  const found = file === '-' ? null : await stat(file).catch(() => undefined);
  if (found === null || (found !== undefined && !found.isFile() && !found.isDirectory())) {
    throw new UsageError('anonymize reads its input twice: it takes a file or a folder, not standard input or a pipe');
  }
  const anonymizer = startAnonymizing();
  const result = await rewriteInputs([file], { path: out, isFolder: false }, anonymizer, {
    onProgress: (done) => terminal.progress(`anonymising ${file}: ${formatPercent(done)}`),
  });
  terminal.progress('');
  if (!result.ok) {
    terminal.note(`swiotlb-lens: ${result.message}`);
    return Exit.unreadable;
  }
  const report = anonymizer.report();
  if (flags.json === true) {
    terminal.out(`${JSON.stringify({ file, files: result.files, ...report })}\n`);
  } else {
    const sentences = anonymizeSentences(report).map((sentence) => wrap(sentence, terminal.width));
    terminal.out(`${[...result.files, '', ...sentences].join('\n')}\n`);
  }
  for (const note of result.notes) {
    terminal.note(`swiotlb-lens: ${note}`);
  }
  return Exit.done;
}
