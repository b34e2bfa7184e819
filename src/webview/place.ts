import { refocus } from './dom';

/** Where the reader of the page is: what is open, scrolled to and focused. */
export interface Place {
  readonly scrollY: number;
  /** Open disclosures by the text of their summary and their position among those of the same text. */
  readonly open: ReadonlySet<string>;
  readonly focusId: string;
}

export function placeOf(content: HTMLElement): Place {
  const open = disclosures(content).flatMap(([key, details]) => (details.open ? [key] : []));
  const focused = content.contains(document.activeElement) ? (document.activeElement?.id ?? '') : '';
  return { scrollY: window.scrollY, open: new Set(open), focusId: focused };
}

/** Brings the reader back after the page was built anew. */
export function returnTo(place: Place, content: HTMLElement): void {
  for (const [key, details] of disclosures(content)) {
    if (place.open.has(key) && !details.open) {
      details.open = true;
    }
  }
  if (place.focusId !== '') {
    refocus(document.getElementById(place.focusId));
  }
  window.scrollTo({ top: place.scrollY, behavior: 'instant' });
}

function disclosures(content: HTMLElement): [string, HTMLDetailsElement][] {
  const seen = new Map<string, number>();
  return [...content.querySelectorAll('details')].map((details) => {
    // Counts in a summary change with the trace.
    const words = (details.querySelector('summary')?.textContent ?? '').replaceAll(/[\d,.]+/g, '#');
    const position = seen.get(words) ?? 0;
    seen.set(words, position + 1);
    return [`${words} ${position}`, details];
  });
}
