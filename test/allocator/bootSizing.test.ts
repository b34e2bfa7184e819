import { describe, expect, it } from 'vitest';
import { encryptedGuestBytes, sizeBootPool, sizeLatePool, unalignedBounceBytes } from '../../src/allocator/bootSizing';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** `slots/areas` plus flags for a parameter on a machine that needs bouncing. */
function check(parameter: string | null, possibleCpus: number, expected: string): void {
  const { pool, force, noforce } = sizeBootPool({
    parameter,
    possibleCpus,
    archAdjustBytes: null,
    addressingLimited: true,
    verbose: false,
  });
  const flags = `${force ? ' force' : ''}${noforce ? ' noforce' : ''}`;
  expect(`${pool === null ? 'none' : `${pool.slots}/${pool.areas}`}${flags}`).toBe(expected);
}

describe('the swiotlb= parameter', () => {
  it('is read by position, not by keyword', () => {
    check('force,4', 4, '32768/4');
    check('512,force,4', 4, '512/4');
    check('512,4,force', 4, '512/4 force');
    check(',,force', 2, '32768/2 force');
    check(',force', 2, '32768/2 force');
    check('force', 2, '32768/2 force');
    check(',4', 1, '32768/4');
    check('noforce', 1, 'none noforce');
    check('1024,2,noforce', 1, 'none noforce');
    check('1024,2,forced', 1, '1024/2');
  });

  it('knows no suffixes, but hexadecimal and octal numbers', () => {
    check('128k', 1, '128/1');
    check('64M', 1, '128/1');
    check('0x1000', 1, '4096/1');
    check('0X1000', 1, '4096/1');
    check('010000', 1, '4096/1');
    check('0x', 1, '128/1');
    check('08', 1, '1024/8'); // 0, and the 8 that octal does not know is the number of areas
  });

  it('rounds to segments, then so that every area has one, then to a power of two', () => {
    check('1', 1, '128/1');
    check('1', 4, '512/4');
    check('0', 96, '16384/128');
    check('3000', 1, '4096/1');
    check('32768,3', 1, '32768/4');
    check('32768,0', 8, '32768/1');
    check(null, 512, '65536/512');
  });

  it('sets up nothing on a machine that needs no bouncing, unless forced', () => {
    const request = { possibleCpus: 4, archAdjustBytes: null, addressingLimited: false, verbose: false };
    expect(sizeBootPool({ ...request, parameter: '65536' }).pool).toBeNull();
    expect(sizeBootPool({ ...request, parameter: '65536,4' }).pool).toBeNull();
    expect(sizeBootPool({ ...request, parameter: '65536,force' }).pool).toEqual({ slots: 65536, areas: 4 });
  });

  it('says what was ignored', () => {
    const { steps } = sizeBootPool({
      parameter: '128k,4',
      possibleCpus: 4,
      archAdjustBytes: null,
      addressingLimited: true,
      verbose: false,
    });
    expect(steps.join('\n')).toContain('"k,4" is ignored');
  });
});

describe('sizes an architecture asks for', () => {
  it('6 % of an encrypted guest, from 64 MiB to 1 GiB', () => {
    expect(encryptedGuestBytes(GIB)).toBe(64 * MIB);
    expect(Math.floor(encryptedGuestBytes(8 * GIB) / MIB)).toBe(491);
    expect(encryptedGuestBytes(17 * GIB)).toBe(GIB);
  });

  it.each([
    [4 * GIB, 131072],
    [8 * GIB, 262144],
    [10.24 * GIB, 524288],
    [64 * GIB, 524288],
  ])('an encrypted guest of %d bytes gets %d slots', (memory, slots) => {
    const sized = sizeBootPool({
      parameter: null,
      possibleCpus: 8,
      archAdjustBytes: encryptedGuestBytes(memory),
      addressingLimited: true,
      verbose: false,
    });
    expect(sized.pool?.slots).toBe(slots);
  });

  it('is overridden by an explicit size, except by the default size', () => {
    const request = { possibleCpus: 4, archAdjustBytes: 256 * MIB, addressingLimited: true, verbose: false };
    expect(sizeBootPool({ ...request, parameter: '65536' }).pool?.slots).toBe(65536);
    expect(sizeBootPool({ ...request, parameter: '32768' }).pool?.slots).toBe(131072);
  });

  it('1 MiB per GiB on arm64 when only unaligned buffers bounce', () => {
    expect(unalignedBounceBytes(4 * GIB)).toBe(4 * MIB);
    expect(unalignedBounceBytes(512 * GIB)).toBe(64 * MIB);
  });
});

describe('a boot pool without enough memory', () => {
  it('halves down to 1 MiB and then gives up', () => {
    const request = {
      parameter: '32768,16',
      possibleCpus: 1,
      archAdjustBytes: null,
      addressingLimited: true,
      verbose: true,
    };
    const halved = sizeBootPool({ ...request, largestAllocation: 2 * MIB });
    expect(halved.pool).toEqual({ slots: 1024, areas: 8 });
    expect(halved.defaultAreas).toBe(16);
    expect(halved.defaultSlots).toBe(1024);
    expect(halved.messages.slice(-3)).toEqual([
      'swiotlb_memblock_alloc: Failed to allocate 4194304 bytes tlb structure',
      'SWIOTLB bounce buffer size adjusted 32768 -> 1024 slabs',
      'mapped [mem START-END] (2MB)',
    ]);
    expect(sizeBootPool({ ...request, largestAllocation: MIB / 2 }).pool).toBeNull();
  });

  it('late, takes powers of two above 1 MiB', () => {
    expect(sizeLatePool(64 * MIB, 4, 4096, 64 * MIB)).toEqual({ slots: 32768, areas: 4, messages: [] });
    expect(sizeLatePool(64 * MIB, 4, 4096, 4 * MIB)).toEqual({
      slots: 2048,
      areas: 4,
      messages: ['only able to allocate 4 MB'],
    });
    expect(sizeLatePool(64 * MIB, 4, 4096, MIB)).toBeNull();
  });
});
