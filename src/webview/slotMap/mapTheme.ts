import { readTheme } from '../charts/theme';
import { mostClasses } from './classes';

export type Rgb = readonly [red: number, green: number, blue: number];

/** Colours of the map as numbers: pixels are written one by one. */
export interface MapTheme {
  readonly background: Rgb;
  readonly free: Rgb;
  /** For classes that differ in kind. */
  readonly classes: readonly Rgb[];
  /** For ordered classes, faint to strong. */
  readonly ramp: readonly Rgb[];
  readonly error: Rgb;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly focus: string;
  readonly font: string;
  readonly isHighContrast: boolean;
}

export function readMapTheme(): MapTheme {
  const style = getComputedStyle(document.body);
  const read = (name: string) => style.getPropertyValue(name).trim();
  const { font, text, muted } = readTheme();
  const background = rgbOf(read('--lens-background'), [255, 255, 255]);
  const over = (name: string) => rgbOf(read(name), background);
  // Some themes make chart colours translucent; next to free slots they would hardly show.
  const solid = (name: string) => rgbOf(read(name), null);
  const strong = solid('--map-ramp');
  const textRgb = over('--lens-text');
  const classes = document.body.classList;
  return {
    background,
    free: over('--map-free'),
    classes: Array.from({ length: mostClasses }, (_, index) => solid(`--map-${index}`)),
    // From a tint of the background through the full colour towards the text's: lightness alone tells the order.
    ramp: Array.from({ length: mostClasses }, (_, index) => {
      const share = index / (mostClasses - 1);
      return share < 0.6 ? mix(background, strong, 0.28 + 1.2 * share) : mix(strong, textRgb, (share - 0.6) * 1.6);
    }),
    error: solid('--lens-error'),
    text,
    muted,
    line: read('--map-bracket'),
    focus: read('--map-focus'),
    font,
    isHighContrast: classes.contains('vscode-high-contrast') || classes.contains('vscode-high-contrast-light'),
  };
}

export function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const part = Math.min(1, Math.max(0, share));
  return [0, 1, 2].map((i) => Math.round(from[i]! + (to[i]! - from[i]!) * part)) as unknown as Rgb;
}

export function css([red, green, blue]: Rgb): string {
  return `rgb(${red}, ${green}, ${blue})`;
}

/** Black or white, whichever reads better on a colour. */
export function inkOn([red, green, blue]: Rgb): string {
  return red * 0.299 + green * 0.587 + blue * 0.114 < 140 ? '#ffffff' : '#000000';
}

let probe: CanvasRenderingContext2D | null = null;

/** Whatever the style sheet's notation, painted over a background; without one the colour as if it were opaque. */
function rgbOf(colour: string, background: Rgb | null): Rgb {
  if (probe === null) {
    const canvas = document.createElement('canvas');
    canvas.width = 1;
    canvas.height = 1;
    probe = canvas.getContext('2d', { willReadFrequently: true });
  }
  if (probe === null) {
    return background ?? [128, 128, 128];
  }
  probe.clearRect(0, 0, 1, 1);
  for (const fill of background === null ? [colour] : [css(background), colour]) {
    probe.fillStyle = fill;
    probe.fillRect(0, 0, 1, 1);
  }
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return [red!, green!, blue!];
}
