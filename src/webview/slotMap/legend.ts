import { formatCount } from '../../base/format';
import { h } from '../dom';
import type { Classes } from './classes';
import { drawClass } from './fills';
import { css, type MapTheme } from './mapTheme';

/** What the colours, patterns and signs of one or two maps mean, and how many slots have them. */
export function mapLegend(maps: readonly Classes[], theme: MapTheme): readonly HTMLElement[] {
  const [first] = maps;
  if (first === undefined) {
    return [];
  }
  const entries = first.classes.flatMap(({ sign }, index) => {
    const label = maps.map(({ classes }) => classes[index]!.label).find((text) => text !== '') ?? '';
    const slots = maps.map(({ classes }) => classes[index]!.slots);
    const isThere = maps.some(({ classes }) => 0 < classes[index]!.mappings);
    return isThere ? [legendEntry(first, index, [sign, label], slots, theme)] : [];
  });
  return [
    ...entries,
    h('li', null, plainSwatch(css(theme.free)), 'free'),
    h('li', null, '▢ the last event (dashed: given back)'),
    h('li', { class: 'failure-key' }, '▨ a request that failed, above the largest hole'),
  ];
}

function legendEntry(
  classes: Classes,
  index: number,
  [sign, label]: readonly [string, string],
  slots: readonly number[],
  theme: MapTheme,
): HTMLElement {
  return h(
    'li',
    null,
    patternSwatch(classes, index, theme),
    sign === '' ? null : h('span', { class: 'map-sign' }, sign),
    `${label} · ${slots.map(formatCount).join(' / ')} slots`,
  );
}

/** The pattern as on the map, on a little canvas. */
function patternSwatch({ isRamp }: Classes, index: number, theme: MapTheme): HTMLCanvasElement {
  const canvas = h('canvas', { class: 'map-swatch', width: 22, height: 12, 'aria-hidden': 'true' });
  const context = canvas.getContext('2d');
  if (context !== null && isRamp) {
    context.fillStyle = css(theme.ramp[index]!);
    context.fillRect(0, 0, 22, 12);
  } else if (context !== null) {
    drawClass(context, theme, index, 22, 12);
  }
  return canvas;
}

function plainSwatch(colour: string): HTMLCanvasElement {
  const canvas = h('canvas', { class: 'map-swatch', width: 22, height: 12, 'aria-hidden': 'true' });
  const context = canvas.getContext('2d');
  if (context !== null) {
    context.fillStyle = colour;
    context.fillRect(0, 0, 22, 12);
  }
  return canvas;
}
