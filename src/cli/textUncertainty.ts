import { formatBytes, formatCount, formatDuration, plural } from '../base/format';
import type { CompareReport, UncertaintyReport, VariantNumbers } from '../model/reports';
import { table } from './table';
import { type Terminal, wrap } from './terminal';

/** What a replay hangs on, one block per question; empty when it hangs on nothing. */
export function uncertaintyText(uncertainty: UncertaintyReport, terminal: Terminal): string {
  const { sensitivity, classVariants, contextVariants, attributeVariants } = uncertainty;
  const blocks: string[] = [];
  if (sensitivity !== null) {
    const lifetimes = plural(sensitivity.assumedLifetimes, 'lifetime');
    const title = `With other values for the ${lifetimes} that had to be assumed:`;
    const rows = sensitivity.variants.map((variant) => cells(variant.name, variant));
    blocks.push(block(title, 'lifetime', rows, terminal));
  }
  if (classVariants !== null) {
    const title = 'No line tells what some devices are (--class DEV=block decides):';
    const rows = classVariants.map((variant) => cells(classNames[variant.unknownClass], variant));
    blocks.push(block(title, 'unknown devices as', rows, terminal));
  }
  if (contextVariants !== null) {
    const title = 'Flags only show which maps cannot sleep (--set context=alwaysAtomic decides):';
    const rows = contextVariants.map((variant) => cells(contextNames[variant.context], variant));
    blocks.push(block(title, 'who may sleep', rows, terminal));
  }
  if (attributeVariants !== null) {
    const title = 'No event tells which memory a device needs (--set privateDevices=DEV,… decides):';
    const rows = attributeVariants.map((variant) => cells(attributeNames[variant.devicesNeed], variant));
    blocks.push(block(title, 'devices need', rows, terminal));
  }
  return blocks.map((text) => `\n${text}\n`).join('');
}

const classNames = { block: 'block devices', other: 'other devices' } as const;
const attributeNames = { shared: 'shared memory', private: 'private memory' } as const;
const contextNames = { fromFlags: 'as the flags allow', alwaysAtomic: 'no map' } as const;

function cells(name: string, { failed, stalls, usedHighWaterSlots, peakBytes }: VariantNumbers): string[] {
  return [
    name,
    formatCount(failed),
    stalls.count === 0 ? '–' : formatDuration(stalls.totalNs),
    formatCount(usedHighWaterSlots),
    formatBytes(peakBytes),
  ];
}

function block(title: string, first: string, rows: readonly string[][], terminal: Terminal): string {
  return `${wrap(title, terminal.width)}\n${table([first, '>failed', '>stalls', '>peak used', '>memory peak'], rows, terminal)}`;
}

/** Failures of compared replays under each other assumption, one row per replay; empty when none hangs on any. */
export function compareUncertaintyText(
  results: CompareReport['results'],
  nameOf: (result: CompareReport['results'][number]) => string,
  terminal: Terminal,
): string {
  const columns: { readonly name: string; failed(result: CompareReport['results'][number]): number | undefined }[] = [
    ...['25th percentile', '75th percentile', '0.1 ×', '10 ×'].map((name) => ({
      name,
      failed: ({ sensitivity }: UncertaintyReport) =>
        sensitivity?.variants.find((variant) => variant.name === name)?.failed,
    })),
    {
      name: 'unknown as block',
      failed: ({ classVariants }) => classVariants?.find(({ unknownClass }) => unknownClass === 'block')?.failed,
    },
    {
      name: 'none may sleep',
      failed: ({ contextVariants }) => contextVariants?.find(({ context }) => context === 'alwaysAtomic')?.failed,
    },
    {
      name: 'all need private',
      failed: ({ attributeVariants }) =>
        attributeVariants?.find(({ devicesNeed }) => devicesNeed === 'private')?.failed,
    },
  ];
  const shown = columns.filter(({ failed }) => results.some((result) => failed(result) !== undefined));
  if (shown.length === 0) {
    return '';
  }
  const rows = results.map((result) => [
    nameOf(result),
    formatCount(result.failed),
    ...shown.map(({ failed }) => {
      const count = failed(result);
      return count === undefined ? '–' : formatCount(count);
    }),
  ]);
  const header = ['', '>failed', ...shown.map(({ name }) => `>${name}`)];
  const title = 'Failures where what had to be assumed is otherwise (lifetimes, classes, who may sleep, which memory):';
  return `\n${wrap(title, terminal.width)}\n${table(header, rows, terminal)}\n`;
}
