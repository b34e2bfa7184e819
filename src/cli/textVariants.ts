import type { LogSummary } from '../analysis/compareLogs';
import type { LifetimeSensitivity } from '../analysis/replay';
import type { ClassVariant } from '../analysis/replayVariants';
import { describeCauseCounts } from '../analysis/verdict';
import { formatBytes, formatCount, formatDuration, plural } from '../base/format';
import type { Cause } from '../model/cause';
import { printable, type Terminal, table } from './terminal';

const orNone = (value: number | null, format: (value: number) => string): string =>
  value === null ? '–' : format(value);

/** How much hangs on lifetimes that the trace does not say. */
export function sensitivityText(sensitivity: LifetimeSensitivity, terminal: Terminal): string {
  const rows = sensitivity.variants.map((variant) => [
    variant.name,
    formatCount(variant.failed),
    formatCount(variant.usedHighWaterSlots),
    formatBytes(variant.peakBytes),
  ]);
  const lifetimes = plural(sensitivity.assumedLifetimes, 'lifetime');
  return `With other values for the ${lifetimes} that had to be assumed:\n${table(['lifetime', '>failed', '>peak used', '>memory peak'], rows, terminal.style)}`;
}

/** Both answers where nothing tells whether a device does block I/O. */
export function classVariantsText(variants: readonly ClassVariant[], terminal: Terminal): string {
  const rows = variants.map((variant) => [
    variant.unknownClass === 'block' ? 'block devices' : 'other devices',
    formatCount(variant.failed),
    variant.stalls.count === 0 ? '–' : formatDuration(variant.stalls.totalNs),
    formatCount(variant.usedHighWaterSlots),
    formatBytes(variant.peakBytes),
  ]);
  const header = ['unknown devices as', '>failed', '>stalls', '>peak used', '>memory peak'];
  return `No line tells what some devices are (--class DEV=block decides):\n${table(header, rows, terminal.style)}`;
}

/** Logs side by side: before and after a change. */
export function compareLogsText(logs: readonly LogSummary[], terminal: Terminal): string {
  const rows = logs.map((log) => [
    printable(log.file),
    formatCount(log.failures),
    formatCount(log.suppressed),
    describeCauseCounts(new Map(Object.entries(log.failuresByCause) as [Cause, number][])) || '–',
    orNone(log.totalSlots, formatCount),
    orNone(log.peakUsedSlots, formatCount),
    orNone(log.largestBytes, formatBytes),
  ]);
  const header = ['log', '>failures', '>suppressed', 'causes', '>pool', '>most used', '>largest request'];
  return `These are logs without requests: what they prove, side by side.\n\n${table(header, rows, terminal.style)}\n`;
}
