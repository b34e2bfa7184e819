import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { createOnigScanner, createOnigString, loadWASM } from 'vscode-oniguruma';
import { type IGrammar, INITIAL, parseRawGrammar, Registry } from 'vscode-textmate';

const grammarPath = fileURLToPath(new URL('../../syntaxes/swiotlb-trace.tmLanguage.json', import.meta.url));
let grammar: IGrammar;

beforeAll(async () => {
  const wasm = readFileSync(createRequire(import.meta.url).resolve('vscode-oniguruma/release/onig.wasm'));
  await loadWASM({ data: wasm });
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
    loadGrammar: async () => parseRawGrammar(readFileSync(grammarPath, 'utf8'), grammarPath),
  });
  const loaded = await registry.loadGrammar('source.swiotlb-trace');
  expect(loaded).not.toBeNull();
  grammar = loaded!;
});

/** Innermost scope (without the language suffix) of each token of a line. */
function tokens(line: string): [string, string][] {
  return grammar
    .tokenizeLine(line, INITIAL)
    .tokens.map((token) => [
      line.slice(token.startIndex, token.endIndex),
      token.scopes[token.scopes.length - 1].replace(/\.swiotlb-trace$/, ''),
    ]);
}

/** Each expected pair is a token of the line, in this order; what lies between does not matter. */
function check(line: string, expected: readonly (readonly [string, string])[]): void {
  const found = tokens(line);
  let at = 0;
  for (const [text, scope] of expected) {
    const index = found.findIndex(
      ([foundText, foundScope], i) => at <= i && foundText === text && foundScope === scope,
    );
    expect(index, `${scope} '${text}' in ${JSON.stringify(found)}`).toBeGreaterThanOrEqual(at);
    at = index + 1;
  }
}

function checkAbsent(line: string, scopePart: string): void {
  expect(tokens(line).filter(([, scope]) => scope.includes(scopePart))).toEqual([]);
}

describe('ftrace lines', () => {
  it('colours every column of a default line', () => {
    check(
      '            wget-173     [002] bN...     4.037890: swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=101cfe286 size=54 FORCE',
      [
        ['wget', 'entity.name.type.task'],
        ['173', 'constant.numeric.pid'],
        ['002', 'constant.numeric.cpu'],
        ['bN...', 'storage.modifier.flags'],
        ['4.037890', 'constant.numeric.timestamp'],
        ['swiotlb_bounced', 'entity.name.function.event.swiotlb'],
        ['0000:00:07.0', 'entity.name.tag.device'],
        ['dma_mask', 'variable.parameter.key'],
        ['ffffffffffffffff', 'constant.numeric.hex.address'],
        ['dev_addr', 'variable.parameter.key'],
        ['101cfe286', 'constant.numeric.hex.address'],
        ['54', 'constant.numeric.size'],
        ['FORCE', 'constant.language.force'],
      ],
    );
  });

  it('takes task names with dashes, blanks and brackets, and the idle task', () => {
    check(
      '     kworker/1:1H-44      [001] .....     5.208940: dma_map_page: 0000:00:05.0 dir=TO_DEVICE dma_addr=7dadf000',
      [
        ['kworker/1:1H', 'entity.name.type.task'],
        ['44', 'constant.numeric.pid'],
        ['dma_map_page', 'entity.name.function.event.dma'],
        ['0000:00:05.0', 'entity.name.tag.device'],
        ['TO_DEVICE', 'constant.language.direction'],
      ],
    );
    check('          <idle>-0       [001] d.h..     5.209604: dma_unmap_page: 0000:00:05.0 dir=TO_DEVICE', [
      ['<idle>', 'entity.name.type.task'],
      ['0', 'constant.numeric.pid'],
    ]);
    check('   a-b [x] 1-77      [001] d.h..     5.209604: dma_unmap_page: d dir=TO_DEVICE', [
      ['a-b [x] 1', 'entity.name.type.task'],
      ['77', 'constant.numeric.pid'],
    ]);
  });

  it('takes the TGID column, missing flags and integer clocks', () => {
    check('            wget-176     (    176) [003] b....     4.145781: swiotlb_bounced: dev_name: d', [
      ['176', 'constant.numeric.tgid'],
      ['003', 'constant.numeric.cpu'],
      ['b....', 'storage.modifier.flags'],
    ]);
    check('            wget-179   [002]     5.761481: swiotlb_bounced: dev_name: d', [
      ['002', 'constant.numeric.cpu'],
      ['5.761481', 'constant.numeric.timestamp'],
    ]);
    check('            wget-173     [001] b....            4: swiotlb_bounced: dev_name: d', [
      ['4', 'constant.numeric.timestamp'],
      ['swiotlb_bounced', 'entity.name.function.event.swiotlb'],
    ]);
  });

  it('takes the latency layout and lines without context', () => {
    check(
      'ksoftirq-14        0..s.. 693689us#: dma_unmap_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=7d44f000 size=66 attrs=',
      [
        ['ksoftirq', 'entity.name.type.task'],
        ['693689us', 'constant.numeric.timestamp'],
        ['dma_unmap_page', 'entity.name.function.event.dma'],
        ['0000:00:07.0', 'entity.name.tag.device'],
      ],
    );
    check('dma_map_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=7d390800 size=86 phys_addr=102cae32a attrs=', [
      ['dma_map_page', 'entity.name.function.event.dma'],
      ['7d390800', 'constant.numeric.hex.address'],
      ['86', 'constant.numeric.size'],
    ]);
  });

  it('marks the all-ones address, but not the all-ones mask, as invalid', () => {
    check(
      '   fio-1 [000] ..... 1.000000: dma_map_page: d dir=TO_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=1000',
      [['ffffffffffffffff', 'invalid.illegal.sentinel']],
    );
    check(
      '   fio-1 [000] ..... 1.000000: map_ret: (swiotlb_map+0x5c/0x230 <- swiotlb_tbl_map_single) tlb=0xffffffffffffffff',
      [
        ['swiotlb_map+0x5c/0x230', 'entity.name.function.symbol'],
        ['swiotlb_tbl_map_single', 'entity.name.function.symbol'],
        ['0xffffffffffffffff', 'invalid.illegal.sentinel'],
      ],
    );
    checkAbsent(
      '   fio-1 [000] ..... 1.000000: swiotlb_bounced: dev_name: d dma_mask=ffffffffffffffff size=1',
      'invalid',
    );
  });

  it('marks lost events and comments', () => {
    check('CPU:2 [LOST 137 EVENTS]', [['[LOST 137 EVENTS]', 'invalid.illegal.lost-events']]);
    check('##### CPU 2 buffer started ####', [
      ['##### CPU 2 buffer started ####', 'invalid.deprecated.buffer-started'],
    ]);
    check('# tracer: nop', [['# tracer: nop', 'comment.line.number-sign']]);
  });

  it('takes function_graph lines with an event inside', () => {
    check(' 3) + 24.446 us   |  __swiotlb_tbl_unmap_single(); /* = 0xffffffff81eb8a40 */', [
      ['24.446', 'constant.numeric.duration'],
      ['__swiotlb_tbl_unmap_single', 'entity.name.function.symbol'],
    ]);
    check(' 2)               |  /* dma_map_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=7db2a000 size=54 attrs= */', [
      ['dma_map_page', 'entity.name.function.event.dma'],
      ['7db2a000', 'constant.numeric.hex.address'],
    ]);
  });
});

describe('kernel log lines', () => {
  it('marks the failure message and its numbers', () => {
    check(
      '[    5.075738] nvme 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 494 (slots)',
      [
        ['    5.075738', 'constant.numeric.timestamp'],
        ['0000:00:05.0', 'entity.name.tag.device'],
        ['swiotlb buffer is full', 'invalid.illegal.failure'],
        ['57344', 'constant.numeric.size'],
        ['512', 'constant.numeric.slots'],
        ['494', 'constant.numeric.slots'],
      ],
    );
  });

  it('marks the failure inside a console event', () => {
    check(
      '             fio-188     [003] d....     5.128637: console: nvme 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 494 (slots)',
      [
        ['console', 'entity.name.function.event.other'],
        ['swiotlb buffer is full', 'invalid.illegal.failure'],
      ],
    );
  });

  it('marks the other failures', () => {
    check('DMA: Out of SW-IOMMU space for 9100 bytes at device 0000:02:00.0', [
      ['DMA: Out of SW-IOMMU space', 'invalid.illegal.failure'],
      ['0000:02:00.0', 'entity.name.tag.device'],
    ]);
    check('[ 1.0] e1000 0000:00:01.0: swiotlb addr 0x00000000fc000000+4096 overflow (mask ffffff, bus limit 0).', [
      ['0x00000000fc000000', 'constant.numeric.hex.address'],
      ['overflow', 'invalid.illegal.failure'],
    ]);
    check('nouveau 0000:01:00.0: swiotlb: coherent allocation failed, size=2097152', [
      ['swiotlb: coherent allocation failed', 'invalid.illegal.failure'],
    ]);
  });

  it('marks boot lines and the parameter', () => {
    check('[    0.888804] software IO TLB: mapped [mem 0x000000007da8e000-0x000000007db8e000] (1MB)', [
      ['software IO TLB', 'keyword.other.boot'],
      ['mapped', 'keyword.control.boot'],
      ['0x000000007da8e000', 'constant.numeric.hex.address'],
      ['1MB', 'constant.numeric.size'],
    ]);
    check('[    0.000000] Command line: console=ttyS0 panic=-1 swiotlb=512,4,force', [
      ['swiotlb', 'variable.language.boot-parameter'],
      ['512,4,force', 'string.unquoted.boot-parameter'],
    ]);
  });

  it('takes the prefixes of syslog, journals, raw levels and thread ids', () => {
    check(
      'Mar 16 18:11:41 minimezz kernel: [ 4851.947037] rtl8821ae 0000:02:00.0: swiotlb buffer is full (sz: 9100 bytes)',
      [
        ['Mar 16 18:11:41', 'constant.numeric.timestamp'],
        ['minimezz', 'entity.name.type.host'],
        [' 4851.947037', 'constant.numeric.timestamp'],
        ['swiotlb buffer is full', 'invalid.illegal.failure'],
      ],
    );
    check('<6>[    0.001000] software IO TLB: area num 2.', [
      ['<6>', 'constant.numeric.level'],
      ['    0.001000', 'constant.numeric.timestamp'],
      ['area num', 'keyword.control.boot'],
    ]);
    check('[    0.000000][    T0] software IO TLB: area num 2.', [['    T0', 'constant.numeric.caller']]);
    check('2026-11-20T13:31:00.123456+00:00 host kernel: software IO TLB: area num 2.', [
      ['2026-11-20T13:31:00.123456+00:00', 'constant.numeric.timestamp'],
      ['kernel', 'support.type.facility'],
    ]);
  });

  it('marks suppressed callbacks', () => {
    check('[   10.0] swiotlb_tbl_map_single: 137 callbacks suppressed', [
      ['137', 'constant.numeric.count'],
      ['callbacks suppressed', 'keyword.other.suppressed'],
    ]);
  });
});
