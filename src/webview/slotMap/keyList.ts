import { h } from '../dom';

/** The keys of the slot map and its slider. */
export function keyList(): HTMLDetailsElement {
  const entries: readonly (readonly [string, string])[] = [
    ['. ,', 'next, previous event'],
    ['n p', 'next, previous failure'],
    ['← → ↑ ↓', 'on the map: select slots; on the slider: move in time (Shift: faster)'],
    ['Enter', 'go to the line that mapped the selected slots'],
    ['+ − 0', 'larger rows, smaller rows, all rows (also Ctrl + wheel)'],
    ['?', 'this list'],
  ];
  return h(
    'details',
    { id: 'map-keys' },
    h('summary', null, 'Keys'),
    h(
      'dl',
      { class: 'keys' },
      entries.flatMap(([names, meaning]) => [
        h(
          'dt',
          null,
          names.split(' ').flatMap((name) => [h('kbd', null, name), ' ']),
        ),
        h('dd', null, meaning),
      ]),
    ),
  );
}
