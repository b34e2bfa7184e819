import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LineTokenKind, lineTokens } from '../../src/analysis/lineTokens';
import { formats } from '../../src/trace/formats';

/** Tokens as `kind:text`, to read them. */
function tokensOf(line: string): readonly string[] {
  return lineTokens(line).map((token) => `${token.kind}:${line.slice(token.start, token.start + token.length)}`);
}

describe('tokens of a line', () => {
  it('names every column of an ftrace event', () => {
    expect(
      tokensOf(
        '     kworker/0:2-153     [000] .Ns1.    10.236335: dma_unmap_page: 0000:00:07.0 dir=FROM_DEVICE dma_addr=7bb7a800 size=1536 attrs=',
      ),
    ).toEqual([
      'task:kworker/0:2-153',
      'cpu:[000]',
      'flags:.Ns1.',
      'time:10.236335',
      'event:dma_unmap_page',
      'device:0000:00:07.0',
      'field:dir',
      'keyword:FROM_DEVICE',
      'field:dma_addr',
      'address:7bb7a800',
      'field:size',
      'size:1536',
      'field:attrs',
    ]);
  });

  it('takes all ones for a failure in a result and for a mask in a mask', () => {
    expect(
      tokensOf(
        'nc-1 [001] b.... 4.1: dma_map_page: swlab.4 dir=TO_DEVICE dma_addr=ffffffffffffffff size=5 phys_addr=1 attrs=',
      ),
    ).toContain('failure:ffffffffffffffff');
    expect(
      tokensOf(
        'nc-1 [001] b.... 4.1: swiotlb_bounced: dev_name: swlab.4 dma_mask=ffffffffffffffff dev_addr=1 size=54 FORCE',
      ),
    ).toEqual([
      'task:nc-1',
      'cpu:[001]',
      'flags:b....',
      'time:4.1',
      'event:swiotlb_bounced',
      'field:dev_name',
      'device:swlab.4',
      'field:dma_mask',
      'address:ffffffffffffffff',
      'field:dev_addr',
      'address:1',
      'field:size',
      'size:54',
      'keyword:FORCE',
    ]);
  });

  it('reads probes, lists and comments of the function graph', () => {
    expect(
      tokensOf(
        ' fio-178     [003]     4.927198: map_ret: (do_op+0x5c/0x230 [swlab] <- swiotlb_tbl_map_single) dev="0000:00:07.0" tlb=0x7d78e000',
      ).slice(3),
    ).toEqual([
      'event:map_ret',
      'function:do_op+0x5c/0x230',
      'function:swiotlb_tbl_map_single',
      'field:dev',
      'device:0000:00:07.0',
      'field:tlb',
      'address:0x7d78e000',
    ]);
    expect(
      tokensOf(
        'a-1 [0] 1.1: dma_map_sg: 0000:00:05.0 dir=TO_DEVICE dma_addrs=[7c000000, 7d000000] sizes=[4096, 512] phys_addrs=[10, abc] attrs=',
      ).filter((token) => /address|size:/.test(token)),
    ).toEqual(['address:7c000000', 'address:7d000000', 'size:4096', 'size:512', 'address:10', 'address:abc']);
    expect(
      tokensOf(
        ' 2)   1.092 us    |  /* swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ff dev_addr=101cec286 size=54 FORCE */',
      ).slice(0, 5),
    ).toEqual(['cpu:2', 'number:1.092 us', 'event:swiotlb_bounced', 'field:dev_name', 'device:0000:00:07.0']);
    expect(tokensOf(' 1) ! 236.834 us  |    swiotlb_search_pool_area(); /* = 0x12b */')).toEqual([
      'cpu:1',
      'number:236.834 us',
      'function:swiotlb_search_pool_area',
      'address:0x12b',
    ]);
  });

  it('reads kernel messages behind every prefix', () => {
    const message = ['failure:swiotlb buffer is full', 'field:sz', 'size:3776'];
    const line =
      'mt7615e 0000:01:00.0: swiotlb buffer is full (sz: 3776 bytes), total 32768 (slots), used 31415 (slots)';
    for (const [prefix, time] of [
      ['[ 1582.784369] ', ['time:[ 1582.784369]']],
      ['Mar 16 18:11:41 minimezz kernel: [ 4851.947037] ', ['time:Mar 16 18:11:41', 'time:[ 4851.947037]']],
      ['2024-05-30T11:10:09+0200 host kernel: ', ['time:2024-05-30T11:10:09+0200']],
      ['<4>[    2.5] ', []],
      ['', []],
    ] as const) {
      expect(tokensOf(prefix + line)).toEqual(
        expect.arrayContaining([
          ...time,
          'device:0000:01:00.0',
          ...message,
          'size:32768 (slots)',
          'size:31415 (slots)',
        ]),
      );
    }
    expect(tokensOf('udl 2-1.4:1.0: swiotlb buffer is full (sz: 2097152 bytes)')[0]).toBe('device:2-1.4:1.0');
    expect(tokensOf('[    0.000] Command line: ro swiotlb=65536,force quiet')).toEqual(
      expect.arrayContaining(['keyword:swiotlb=', 'number:65536,force']),
    );
  });

  it('sees headers and losses', () => {
    expect(tokensOf('# tracer: nop')).toEqual(['comment:# tracer: nop']);
    expect(tokensOf('CPU:2 [LOST 1234 EVENTS]')).toEqual(['number:2', 'failure:[LOST 1234 EVENTS]']);
  });

  it('finds time, task or event in the sample of every trace format', () => {
    for (const format of formats.values().filter((one) => one.family === 'trace' && one.id !== 'memveil')) {
      const kinds = lineTokens(format.sample).map((token): LineTokenKind => token.kind);
      expect(
        kinds.some((kind) => kind === 'event' || kind === 'function' || kind === 'address'),
        format.id,
      ).toBe(true);
    }
  });

  it('stays in order inside of any text', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('dma_addr=', '[', ', ', 'f'.repeat(16), ' size=', 'a-1 [0] 1.1: ', 'sz: '),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const line = pieces.join('');
        let end = 0;
        for (const token of lineTokens(line)) {
          expect(token.start).toBeGreaterThanOrEqual(end);
          expect(token.length).toBeGreaterThan(0);
          end = token.start + token.length;
        }
        expect(end).toBeLessThanOrEqual(line.length);
      }),
    );
  });
});
