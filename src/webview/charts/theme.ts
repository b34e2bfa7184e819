/** Colours and fonts of the charts, read from the CSS custom properties that panel.css derives from the editor's theme. */
export interface ChartTheme {
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly error: string;
  readonly background: string;
  readonly cursor: string;
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
    selection: read('--lens-selection'),
    font: style.fontFamily,
    fontSize: 11,
    highContrast: document.body.classList.contains('vscode-high-contrast'),
    series: Array.from({ length: seriesCount }, (_, index) => read(`--lens-series-${index}`)),
  };
}

const seriesCount = 6;

/** Runs differ by dash and mark as well as by colour. */
export interface RunStyle {
  /** Index into `ChartTheme.series`. */
  readonly series: number;
  readonly dash: readonly number[];
  readonly mark: 'crossRot' | 'triangle' | 'rectRot' | 'star';
}

const named: Readonly<Record<string, RunStyle>> = {
  recorded: { series: 0, dash: [], mark: 'crossRot' },
  dynamic: { series: 1, dash: [], mark: 'triangle' },
  transient: { series: 2, dash: [7, 4], mark: 'rectRot' },
  fixed: { series: 3, dash: [3, 2], mark: 'star' },
};

/** A fixed style per policy, so that a policy looks the same in every panel; others share the last two. */
export function runStyle(policy: string, position: number): RunStyle {
  return (
    named[policy] ?? { series: 4 + (position % 2), dash: position % 2 === 0 ? [10, 3, 2, 3] : [1, 4], mark: 'triangle' }
  );
}

/** Calls back when the editor's theme changes. */
export function watchTheme(onChange: () => void): void {
  new MutationObserver(onChange).observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-vscode-theme-id'],
  });
  new MutationObserver(onChange).observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
}
