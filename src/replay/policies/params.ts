import { generations } from '../../model/geometry';
import type { PolicyParam } from '../policy';

/** Parameters that several policies share, so that they mean and default to the same everywhere. */
export const poolParams: readonly PolicyParam[] = [
  {
    name: 'poolStart',
    title: 'Physical address of the boot pool; its low bits decide alignment',
    unit: 'address',
    default: 0,
    source: 'the recorded pool',
    min: 0,
    max: 2 ** 52,
    isWhole: true,
  },
  {
    name: 'poolSlots',
    title: 'Size of the boot pool',
    unit: 'slots',
    default: 32768,
    source: 'the recorded pool, else IO_TLB_DEFAULT_SIZE (64 MiB)',
    min: 0,
    max: 2 ** 24,
    isWhole: true,
  },
  {
    name: 'areas',
    title: 'Areas of the boot pool, each with its own lock',
    unit: '',
    default: 1,
    source: 'the recorded pool, else the number of CPUs rounded up to a power of two',
    min: 1,
    max: 2 ** 16,
    isWhole: true,
  },
  {
    name: 'startIndex',
    title:
      'Slot of each area where its first search starts (area.index); -1: where the first recorded mapping was found',
    unit: 'slot',
    default: -1,
    source: 'the recorded pool; 0 in every other',
    min: -1,
    max: 2 ** 24,
    isWhole: true,
  },
  {
    name: 'generation',
    title: 'Kernel version of the search: 4.18, 6.1, 6.6, 6.8 or 6.12',
    unit: '',
    default: '6.12',
    source: 'the recorded kernel',
    choices: generations,
  },
  {
    name: 'encrypted',
    title: 'Guest memory is encrypted: pool memory is converted, and atomic allocations come from the coherent pool',
    unit: '',
    default: false,
    source: 'the kernel log says so when it is',
  },
];

export const transientParams: readonly PolicyParam[] = [
  {
    name: 'rcuDelayNs',
    title: 'Grace period until the memory of a transient pool is given back',
    unit: 'ns',
    default: 15e6,
    defaultSteps: 64,
    source: 'measured: 11 to 22 ms on Linux 6.12.117 (four CPUs)',
    min: 0,
  },
  {
    name: 'maxPageOrder',
    title: 'Largest page allocation (MAX_PAGE_ORDER); limits a pool to 2 KiB · 2^(order + 1)',
    unit: 'order',
    default: 10,
    source: 'include/linux/mmzone.h',
    // Below that a transient pool could not hold one segment of 4 KiB pages.
    min: 6,
    max: 16,
    isWhole: true,
  },
];

export const workerParams: readonly PolicyParam[] = [
  {
    name: 'workerDelayNs',
    title: 'From queueing the growth worker until it starts',
    unit: 'ns',
    default: 640e3,
    defaultSteps: 2,
    source:
      'measured on Linux 6.12.117 with four emulated CPUs: median 0.25 ms, mean 1.6 ms; 0.64 ms gives as many misses during growth as were recorded',
    min: 0,
  },
  {
    name: 'workerRunNs',
    title: 'Run time of the growth worker until the pool is usable',
    unit: 'ns',
    default: 170e3,
    defaultSteps: 1,
    source: 'measured: median 0.17 ms on Linux 6.12.117 for 1 MiB (emulated)',
    min: 0,
  },
  {
    name: 'addedPools',
    title:
      'Pools to add at given moments instead of running the worker: START:SLOTS:AREAS@#N (before the N-th request, from 0) or @NS, separated by spaces',
    unit: '',
    default: '',
    source: 'empty: the worker decides',
    form: {
      pattern: /^$|^(0x[0-9a-f]+|\d+):\d+:\d+@#?\d+(\.\d+)?([\s;]+(0x[0-9a-f]+|\d+):\d+:\d+@#?\d+(\.\d+)?)*$/i,
      words: 'START:SLOTS:AREAS@#N or START:SLOTS:AREAS@NS, several separated by spaces',
    },
  },
];
