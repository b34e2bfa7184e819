import { formatCount, formatPercent, plural } from '../../base/format';
import type { EpisodeView, LineRef, RunView, TraceView } from '../../protocol/views';
import { h } from '../dom';
import type { TimeFormat } from '../format';
import { sortedCauses, subjectOf } from '../verdict';
import { causeWords } from '../words';

export type Reveal = (place: LineRef) => void;

/** Why the recorded mappings failed, why the policy in front would still fail, and what else is odd. Empty when nothing is. */
export function whySection(view: {
  readonly trace: TraceView;
  readonly recorded: RunView | null;
  readonly front: RunView | null;
  readonly time: TimeFormat;
  readonly wholeNs: number;
  readonly reveal: Reveal;
}): HTMLElement[] {
  const { trace, recorded, front, time, wholeNs, reveal } = view;
  const parts: HTMLElement[] = [];
  if (0 < trace.episodes.length) {
    parts.push(h('h2', null, 'Why it failed'), ...episodeList(trace, reveal));
  }
  if (recorded !== null && 0 < recorded.failed) {
    parts.push(allFailures('Every failing mapping as recorded', recorded, time, wholeNs, reveal));
  }
  if (front !== null && front !== recorded && 0 < front.failed) {
    const policy = subjectOf(front);
    parts.push(
      h('h2', null, `Why ${policy.charAt(0).toLowerCase()}${policy.slice(1)} would still fail`),
      causeBars(front.failuresByCause),
      allFailures(`Every failing mapping: ${front.title}`, front, time, wholeNs, reveal),
    );
  }
  if (0 < trace.warnings.length) {
    parts.push(h('h2', null, 'Worth a look'), warningList(trace, reveal));
  }
  return parts;
}

function allFailures(title: string, run: RunView, time: TimeFormat, wholeNs: number, reveal: Reveal): HTMLElement {
  return h(
    'details',
    { class: 'all-failures' },
    h('summary', null, `${title} (${formatCount(run.failed)})`),
    failureTable(run, time, wholeNs, reveal),
  );
}

function warningList(trace: TraceView, reveal: Reveal): HTMLElement {
  return h(
    'ul',
    { class: 'plain warnings' },
    trace.warnings.slice(0, 30).map((warning) => {
      const go = { class: 'link', type: 'button', click: () => reveal(warning) };
      return h('li', null, h('button', go, `line ${formatCount(warning.line)}`), ' ', warning.message);
    }),
  );
}

/** Causes with their shares; what a screen reader reads is the text beside the bar. */
function causeBars(counts: Readonly<Partial<Record<string, number>>>): HTMLElement {
  const sorted = sortedCauses(counts);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  return h(
    'ul',
    { class: 'causes' },
    sorted.map(([cause, count]) => {
      const bar = h('span', { class: 'bar', 'aria-hidden': 'true' }, h('span', { class: 'bar-fill' }));
      (bar.firstElementChild as HTMLElement).style.width = `${(100 * count) / total}%`;
      return h(
        'li',
        { 'data-cause': cause },
        h(
          'div',
          { class: 'cause-line' },
          h('strong', null, causeWords[cause].label),
          h(
            'span',
            { class: 'count' },
            `${formatCount(count)}`,
            h('span', { class: 'muted' }, ` · ${formatPercent(count / total)}`),
          ),
        ),
        bar,
        h('div', { class: 'muted' }, causeWords[cause].meaning),
      );
    }),
  );
}

/** So many say what kind of failures there are; a long list would push everything else away. */
const shownEpisodes = 6;
const listedEpisodes = 50;

/** The recorded failures as episodes, with what would help. */
function episodeList(trace: TraceView, reveal: Reveal): HTMLElement[] {
  /** General hints are said once, with the first episode they belong to. */
  const said = new Set<string>();
  const unsaid = (episode: EpisodeView) => {
    const fresh = episode.advice.filter((advice) => !said.has(advice));
    for (const advice of fresh) {
      said.add(advice);
    }
    return fresh;
  };
  const items = trace.episodes.slice(0, listedEpisodes).map((episode) => episodeItem(episode, unsaid(episode), reveal));
  const rest = items.slice(shownEpisodes);
  const left = trace.episodes.length - items.length;
  const list = h('ol', { class: 'episodes' }, items.slice(0, shownEpisodes));
  if (rest.length === 0) {
    return [list];
  }
  const hint = `… and ${formatCount(left)} more; all of them are in the Problems view.`;
  return [
    list,
    h(
      'details',
      { class: 'more-episodes' },
      h('summary', null, plural(rest.length + left, 'more episode')),
      h('ol', { class: 'episodes', start: shownEpisodes + 1 }, rest),
      left === 0 ? null : h('p', { class: 'muted' }, hint),
    ),
  ];
}

function episodeItem(episode: EpisodeView, advice: readonly string[], reveal: Reveal): HTMLElement {
  return h(
    'li',
    null,
    h(
      'div',
      { class: 'episode-head' },
      h('span', { class: 'pill', 'data-cause': episode.cause }, causeWords[episode.cause].label),
      episode.marks.map((mark) => h('span', { class: 'pill mark' }, mark)),
      episode.device === null ? null : h('span', { class: 'device' }, episode.device),
      h('span', { class: 'spacer' }),
      h(
        'span',
        { class: 'muted' },
        plural(episode.count, 'failure'),
        episode.suppressed === 0 ? null : ` and ${plural(episode.suppressed, 'suppressed message')}`,
      ),
      lineButton(episode, episode.firstLine, episode.lastLine, reveal),
    ),
    h('p', null, episode.message),
    advice.length === 0
      ? null
      : h(
          'div',
          { class: 'advice' },
          h('span', { class: 'advice-label' }, 'What helps'),
          h(
            'ul',
            null,
            advice.map((line) => h('li', null, line)),
          ),
        ),
  );
}

function lineButton(episode: EpisodeView, first: number, last: number, reveal: Reveal): HTMLElement {
  const label = first === last ? `line ${formatCount(first)}` : `lines ${formatCount(first)}–${formatCount(last)}`;
  return h(
    'button',
    {
      class: 'link',
      type: 'button',
      'data-failure-line': first,
      'aria-label': `Go to ${label}`,
      click: () => reveal({ file: episode.file, line: first }),
    },
    label,
  );
}

const listedFailures = 200;

/** The failing requests of one replay: each goes to its line. */
function failureTable(run: RunView, time: TimeFormat, spanNs: number, reveal: Reveal): HTMLElement {
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      { class: 'failures', 'aria-label': `Failing mappings, ${run.title}` },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          ['Line', 'Time', 'Device', 'Size', 'Cause'].map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      h(
        'tbody',
        null,
        run.failures.slice(0, listedFailures).map((mark) =>
          h(
            'tr',
            null,
            h(
              'td',
              null,
              h(
                'button',
                {
                  class: 'link',
                  type: 'button',
                  'data-failure-line': mark.line,
                  'aria-label': `Go to line ${formatCount(mark.line)}`,
                  click: () => reveal(mark),
                },
                formatCount(mark.line),
              ),
            ),
            h('td', null, time.absolute(mark.timeNs, spanNs / 100)),
            h('td', null, mark.device ?? 'unknown'),
            h('td', { class: 'number' }, mark.sizeBytes === null ? '–' : `${formatCount(mark.sizeBytes)} B`),
            h('td', null, causeWords[mark.cause].label),
          ),
        ),
      ),
    ),
    run.failed <= listedFailures
      ? null
      : h(
          'p',
          { class: 'muted' },
          `The first ${formatCount(Math.min(listedFailures, run.failures.length))} of ${formatCount(run.failed)}.`,
        ),
  );
}
