import { createIoTlb, type IoTlb, isFailure, TlbDevice } from '../../src/allocator/ioTlb';
import type { AllocatorPort, Placement } from '../../src/allocator/types';
import { type Generation, generations } from '../../src/model/geometry';

/** What one line of an example says and what the model did, both as `key value` words. */
export interface WalkthroughStep {
  readonly line: string;
  readonly expected: string;
  readonly got: string;
}

/** The ```example blocks of a Markdown text. */
export function exampleBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/^```example\n([\s\S]*?)^```$/gm)].map((match) => match[1].trim());
}

/** Plays an example; a result is compared only in the words it names. */
export function playExample(block: string): WalkthroughStep[] {
  const [head, ...lines] = block.split('\n');
  const tlb = setUp(head);
  const devices = new Map<string, TlbDevice>();
  const live: { device: TlbDevice; placement: Placement }[] = [];
  return lines.map((line) => {
    const [action, expected = ''] = line.split(' -> ');
    const [verb, ...words] = action.split(' ');
    const input = pairs(words);
    switch (verb) {
      case 'map': {
        const device = deviceFor(devices, input.get('min') ?? '0', input.get('boundary') ?? 'Infinity');
        const probes = tlb.cost.probes;
        const result = tlb.map(
          Number(input.get('cpu')),
          device,
          Number(input.get('orig')),
          Number(input.get('size')),
          Number(input.get('align') ?? 0),
          true,
        );
        const got = new Map([['probes', String(tlb.cost.probes - probes)]]);
        if (isFailure(result)) {
          got.set('fail', expected.split(' ')[1] === undefined ? '' : result.cause);
        } else {
          live.push({ device, placement: result });
          got.set('pool', String(result.pool));
          got.set('transient', result.transient ? '' : 'no');
          got.set('first', String(result.firstSlot));
          got.set('slot', String(result.slot));
          got.set('slots', String(result.slots));
          got.set('addr', `0x${result.address.toString(16)}`);
        }
        return { line, expected, got: named(expected, got) };
      }
      case 'unmap': {
        const mapping = live[Number(words[0]) - 1];
        tlb.unmap(mapping.device, mapping.placement);
        return { line, expected, got: '' };
      }
      case 'work': {
        const pool = tlb.runWorker();
        return { line, expected, got: pool === null ? 'none' : `pool ${pool.id} slots ${pool.slots}` };
      }
      case 'pending':
        return { line, expected: words[0], got: tlb.pendingWork ? 'yes' : 'no' };
      case 'state': {
        const pool = tlb.pool(0);
        const area = Number(input.get('area'));
        return { line, expected, got: `index ${pool.areaIndex[area]} used ${pool.areaUsed[area]}` };
      }
      default:
        return { line, expected: 'a known operation', got: verb };
    }
  });
}

function setUp(head: string): IoTlb {
  const [generation, ...rest] = head.split(' ');
  const dynamic = rest[0] === 'dynamic';
  const input = pairs(dynamic ? rest.slice(1) : rest);
  const slots = Number(input.get('slots'));
  const areas = Number(input.get('areas'));
  const known = generations.find((name) => name === generation) as Generation;
  return createIoTlb(
    {
      generation: known,
      dynamic,
      canGrow: dynamic,
      pageSize: 4096,
      maxPageOrder: 10,
      defaultSlots: slots,
      defaultAreas: areas,
      physLimit: 2 ** 39,
      zoneDmaLimit: 0xffffff,
      boot: { kind: 'boot', start: Number(input.get('pool')), slots, areas },
    },
    endlessMemory(),
  );
}

/** Pages from 4 GiB on, one block after the other, each aligned to its size. */
export function endlessMemory(): AllocatorPort {
  let next = 0x100000000;
  return {
    allocatePages(order) {
      const bytes = 4096 * 2 ** order;
      const start = Math.ceil(next / bytes) * bytes;
      next = start + bytes;
      return start;
    },
    freePages: () => {},
    allocateAtomic: () => null,
    freeAtomic: () => {},
    allocateMeta: () => true,
    allocateSlotArray: () => true,
  };
}

function deviceFor(devices: Map<string, TlbDevice>, min: string, boundary: string): TlbDevice {
  const key = `${min} ${boundary}`;
  let device = devices.get(key);
  if (device === undefined) {
    device = new TlbDevice({
      dmaMask: Number.POSITIVE_INFINITY,
      busDmaLimit: 0,
      minAlignMask: Number(min),
      segBoundaryMask: Number(boundary),
      forceUnencrypted: false,
    });
    devices.set(key, device);
  }
  return device;
}

/** `key value key value`; the words `transient` and `fail` may stand alone. */
function pairs(words: readonly string[]): Map<string, string> {
  const result = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const alone = words[i] === 'transient' || (words[i] === 'fail' && /^(probes)?$/.test(words[i + 1] ?? ''));
    result.set(words[i], alone ? '' : (words[++i] ?? ''));
  }
  return result;
}

/** The values of the words that `expected` names, in its order. */
function named(expected: string, got: ReadonlyMap<string, string>): string {
  return [...pairs(expected.split(' ')).keys()].map((key) => `${key} ${got.get(key) ?? '?'}`.trim()).join(' ');
}
