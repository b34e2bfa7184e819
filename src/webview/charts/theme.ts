/** Colours and fonts of the charts, read from the CSS custom properties that panel.css derives from the editor's theme. */
export interface ChartTheme {
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly error: string;
  readonly background: string;
  readonly cursor: string;
  /** Where the editor's cursor is. */
  readonly editorCursor: string;
  readonly selection: string;
  readonly font: string;
  readonly fontSize: number;
  readonly highContrast: boolean;
  /** By slot number of `runStyles`. */
  readonly series: readonly string[];
}

export function readTheme(): ChartTheme {
  const style = getComputedStyle(document.body);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: read('--lens-text'),
    muted: read('--lens-muted'),
    grid: read('--lens-grid'),
    error: read('--lens-error'),
    background: read('--lens-background'),
    cursor: read('--lens-cursor'),
    editorCursor: read('--lens-series-1'),
    selection: read('--lens-selection'),
    font: style.fontFamily,
    fontSize: 11,
    highContrast: /(?:^|\s)vscode-high-contrast(?:-light)?(?:\s|$)/.test(document.body.className),
    series: Array.from({ length: seriesCount }, (_, index) => read(`--lens-series-${index}`)),
  };
}

const seriesCount = 6;

/** Runs differ by dash as well as by colour. */
export interface RunStyle {
  /** Index into `ChartTheme.series`. */
  readonly series: number;
  readonly dash: readonly number[];
}

const named: Readonly<Record<string, RunStyle>> = {
  recorded: { series: 0, dash: [] },
  dynamic: { series: 1, dash: [14, 3] },
  transient: { series: 2, dash: [7, 4] },
  fixed: { series: 3, dash: [3, 2] },
};

/** A fixed style per policy, so that a policy looks the same in every panel; others share the last two. */
export function runStyle(policy: string, position: number): RunStyle {
  return named[policy] ?? { series: 4 + (position % 2), dash: position % 2 === 0 ? [10, 3, 2, 3] : [1, 4] };
}

/** Calls back when the editor's theme changes. */
export function watchTheme(onChange: () => void): void {
  new MutationObserver(onChange).observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-vscode-theme-id'],
  });
  new MutationObserver(onChange).observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
}

/** `#rrggbb` or `rgb()` with another alpha; other notations are returned as they are. */
export function withAlpha(colour: string, alpha: number): string {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(colour);
  if (hex !== null) {
    const [red, green, blue] = hex.slice(1, 4).map((part) => Number.parseInt(part, 16));
    return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
  }
  const rgb = /^rgba?\(([\d.]+)[ ,]+([\d.]+)[ ,]+([\d.]+)/.exec(colour);
  return rgb === null ? colour : `rgba(${rgb[1]}, ${rgb[2]}, ${rgb[3]}, ${alpha})`;
}
