import { describe, expect, it } from 'vitest';
import { escapeMarkdown } from '../../src/base/escape';
import type { HoverCard } from '../../src/model/reports';
import { languageCommands } from '../../src/protocol/language';
import { messageColumn } from '../../src/server/lineText';
import { cardActionLink, toDiagnostic, toHover, toRange } from '../../src/server/toLsp';

describe('ranges', () => {
  it('turns one-based lines into zero-based ones', () => {
    expect(toRange({ line: 1, startColumn: 4, endColumn: 9 })).toEqual({
      start: { line: 0, character: 4 },
      end: { line: 0, character: 9 },
    });
  });
});

describe('diagnostics', () => {
  it('say the finding first, then the flood, then what helps', () => {
    const failure = {
      cause: 'pool-full' as const,
      marks: ['leak-suspected'],
      message: 'Pool full: needs 2 slots.',
      advice: ['Enlarge the pool.', 'Slots, not bytes.', 'How to apply: …'],
    };
    const found = toDiagnostic(
      failure,
      { line: 7, startColumn: 0, endColumn: 5 },
      { episode: '… and 9 more like this until line 90.', severity: 1, related: [] },
    );
    expect(String(found.message).split('\n')).toEqual([
      'Pool full: needs 2 slots.',
      '… and 9 more like this until line 90.',
      'Enlarge the pool.',
      'Slots, not bytes.',
    ]);
    expect(found.source).toBe('swiotlb');
    expect(found.code).toBe('pool-full, leak-suspected');
  });

  it('begin at the event of an ftrace line', () => {
    const check = (text: string, rest: string) => expect(text.slice(messageColumn(text))).toBe(rest);
    check('  fio-188   [003] d....     5.128637: console: nvme full', 'console: nvme full');
    check('  a b-188   [003]   5.1: dma_map_page: 0000:00:05.0 x', 'dma_map_page: 0000:00:05.0 x');
    check('  fio-1 [001] b....            4: swiotlb_bounced: d', 'swiotlb_bounced: d');
    check('   dma_map_page: d', 'dma_map_page: d');
    check('', '');
  });
});

describe('hover', () => {
  const card: HoverCard = {
    range: { line: 3, startColumn: 0, endColumn: 4 },
    verdict: 'Served · 17 slots (34 KiB)',
    tone: 'served',
    badge: '0x7cb94000',
    lines: [
      { level: 'recorded', text: 'Unmapped at line 12', links: [{ label: 'line 12', file: '/t', line: 12 }] },
      { level: 'modelled', text: 'Dynamic pools: same place.', links: [] },
      { level: 'assumed', text: 'Assumed lifetime 1 ms.', links: [{ label: 'elsewhere', file: '/gone', line: 1 }] },
    ],
  };

  it('has the verdict in bold, links in place, and says what is modelled or assumed', () => {
    const hover = toHover(card, (file, line) => (file === '/t' ? `file:///t#L${line}` : null));
    expect((hover.contents as { value: string }).value).toBe(
      [
        '**Served · 17 slots (34 KiB)** · `0x7cb94000`',
        'Unmapped at [line 12](file:///t#L12)',
        '_modelled:_ Dynamic pools: same place.',
        'Assumed lifetime 1 ms. · elsewhere',
      ].join('  \n'),
    );
  });

  it('links to commands where the client has them', () => {
    const here = { uri: 'file:///a%20(b)/t', line: 7 };
    const failed: HoverCard = { ...card, lines: [], actions: ['whoHeld', 'explain'], cause: 'pool-full' };
    const { contents } = toHover(
      failed,
      () => null,
      cardActionLink(here, () => undefined),
    );
    const links = [...(contents as { value: string }).value.matchAll(/\[([^\]]+)\]\(command:([^?]+)\?([^)]*)\)/g)];
    expect(links.map(([, label, command, args]) => [label, command, JSON.parse(decodeURIComponent(args!))])).toEqual([
      ['Who held the slots', languageCommands.whoHeld, ['file:///a%20(b)/t', 7]],
      ['Explain', languageCommands.explain, ['pool-full']],
    ]);
    const joined: HoverCard = { ...failed, place: { file: '/t', line: 9 } };
    const elsewhere = cardActionLink(here, () => 'file:///t')('whoHeld', joined);
    expect(decodeURIComponent(elsewhere)).toBe(`command:${languageCommands.whoHeld}?["file:///t",9]`);
    expect(toHover(failed, () => null)).not.toMatchObject({ contents: { value: expect.stringContaining('command:') } });
  });

  it('shows hostile names as text', () => {
    expect(escapeMarkdown('<img src=x onerror=alert(1)>')).toBe('\\<img src=x onerror=alert(1)\\>');
    expect(escapeMarkdown('[a](command:evil) `b` *c* &lt;')).toBe('\\[a\\](command:evil) \\`b\\` \\*c\\* &amp;lt;');
    expect(escapeMarkdown('# not a title')).toBe('\\# not a title');
    expect(escapeMarkdown('1. not a list')).toBe('\\1. not a list');
  });
});
