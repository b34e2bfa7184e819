import { formatBytes, formatCount, formatSlots } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import type { GuidanceView, TraceView } from '../../protocol/views';
import { h } from '../dom';
import { lineWords } from '../words';
import type { Reveal } from './why';

/** Instead of an empty chart: what the file proves, and what would make it replayable. */
export function guidanceSection(
  guidance: GuidanceView,
  copy: (text: string, button: HTMLElement) => void,
): HTMLElement {
  const script = guidance.commands.join('\n');
  const button: HTMLElement = h(
    'button',
    { type: 'button', class: 'secondary', id: 'copy-commands', click: () => copy(script, button) },
    'Copy commands',
  );
  return h(
    'section',
    { id: 'guidance', 'aria-labelledby': 'guidance-title' },
    h('h2', { id: 'guidance-title' }, guidance.title),
    h('p', null, guidance.found),
    h('p', null, guidance.next),
    guidance.commands.length === 0
      ? null
      : h(
          'div',
          { class: 'commands' },
          h('pre', { tabindex: 0, 'aria-label': 'Commands to record a trace' }, h('code', null, script)),
          button,
        ),
  );
}

/** Pool, size and boot lines: what a log alone says for sure. */
export function provenSection(trace: TraceView, reveal: Reveal): HTMLElement | null {
  const pool = trace.geometry.pools[0];
  const facts: [string, string][] = [];
  if (trace.geometry.kernel !== null) {
    facts.push(['Kernel', trace.geometry.kernel]);
  }
  if (pool !== undefined && pool.slots !== null) {
    facts.push([
      'Pool',
      `${formatBytes(pool.slots * SLOT_BYTES)} · ${formatSlots(pool.slots)}${pool.start === null ? '' : ` at ${pool.start}`}`,
    ]);
    if (pool.areas !== null) {
      facts.push(['Areas', formatCount(pool.areas)]);
    }
  }
  if (trace.geometry.cpus !== null) {
    facts.push(['CPUs', formatCount(trace.geometry.cpus)]);
  }
  if (facts.length === 0 && trace.boot.length === 0) {
    return null;
  }
  return h(
    'section',
    { id: 'proven', 'aria-labelledby': 'proven-title' },
    h('h2', { id: 'proven-title' }, 'What this file proves'),
    h(
      'dl',
      { class: 'facts' },
      facts.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)]),
    ),
    trace.boot.length === 0
      ? null
      : h(
          'ul',
          { class: 'plain boot' },
          trace.boot
            .slice(0, 20)
            .map((boot) =>
              h(
                'li',
                null,
                h('button', { class: 'link', type: 'button', click: () => reveal(boot) }, lineWords(trace, boot)),
                ' ',
                h('code', null, boot.text),
              ),
            ),
        ),
  );
}
