import type { WarningReport } from '../model/reports';

/** Links of findings to the pages that explain them; null when the client has none. */
export type DocLink = (code: string) => string | null;

const noLink: DocLink = () => null;

/** Built from the beginning of a link that the client gives; the page's name follows. */
export function docLink(explainLink: unknown): DocLink {
  if (typeof explainLink !== 'string') {
    return noLink;
  }
  return (code) => explainLink + encodeURIComponent(JSON.stringify([docPageOf(code)]));
}

/** Name of the page in media/docs/causes that explains a cause or the code of a warning. */
export function docPageOf(code: WarningReport['code']): string {
  return code.startsWith('parameter-') ? 'parameter' : (otherPages[code] ?? code);
}

const otherPages: Readonly<Record<string, string>> = {
  'growth-failed': 'allocation-failed',
  'overwritten-start': 'lost-events',
};
