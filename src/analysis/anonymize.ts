import { formatCount, plural } from '../base/format';
import { type AnonymizeReport, type Anonymizer, createAnonymizer } from '../trace/anonymize';

/** Rewrites traces and logs so that they can be given away; see `Anonymizer`. */
export function startAnonymizing(): Anonymizer {
  return createAnonymizer();
}

/** What was replaced and what was not, one sentence each. */
export function anonymizeSentences(report: AnonymizeReport): readonly string[] {
  const { lines, removedLines, devices, tasks, processes, addresses, shifts, isRendered } = report;
  return [
    `Replaced: ${plural(devices, 'device name')}, ${plural(tasks, 'task name')}, ${plural(processes, 'process id')} and ${plural(addresses, 'address', 'addresses')}, the same one by the same everywhere.`,
    shifts.lowBytes === 0 && shifts.highBytes === 0
      ? 'Addresses are as they were: no shift keeps all of them on their side of 4 GiB and of the DMA masks.'
      : 'Addresses moved by one constant below 4 GiB and one above, multiples of 2 MiB: page offsets, distances and order are as they were.',
    `The text of ${plural(removedLines, 'line')} of ${formatCount(lines)} that say nothing about bounce buffers was removed; the lines are still there, equal texts with equal numbers.`,
    'As they were: times, CPUs, sizes, driver names, kernel versions without the names that somebody gave a build.',
    ...(isRendered ? ['The binary trace became the text that its records print.'] : []),
  ];
}
