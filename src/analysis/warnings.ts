import { formatHex } from '../base/address';
import { formatBytes, formatCount, formatSlotsAndBytes, plural } from '../base/format';
import type { LogRecord } from '../model/log';
import type { WarningReport } from '../model/reports';
import { SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { isEncrypted, poolLine } from './boot';
import { misreadParameter, readBootParameter } from './bootParameter';
import { suspectedLeaks } from './leaks';
import { suppressedBeforeFailures } from './ledger';

/** Things that are not failures yet, or explain them: parameters misread, pools shrunk, masks, losses, leaks. */
export function warningsOf(analysis: Analysis): readonly WarningReport[] {
  return [
    ...parameterWarnings(analysis),
    ...shrunkPoolWarnings(analysis),
    ...growthWarnings(analysis),
    ...maskWarnings(analysis),
    ...lossWarnings(analysis),
    ...suppressedWarnings(analysis),
    ...leakWarnings(analysis),
  ];
}

function atRecord(analysis: Analysis, record: LogRecord, code: string, message: string): WarningReport {
  return {
    file: fileOf(analysis, record.source),
    line: record.line,
    startColumn: record.startColumn,
    endColumn: record.endColumn,
    code,
    message,
  };
}

function fileOf(analysis: Analysis, source: number): string {
  return analysis.tables.sources[source]?.path ?? analysis.file;
}

/** The kernel prints its command line up to twice; the first one carries the warning. */
function parameterWarnings(analysis: Analysis): WarningReport[] {
  const warnings: WarningReport[] = [];
  const seen = new Set<string>();
  for (const record of analysis.tables.logs) {
    if (record.kind !== 'command-line' || record.value === '' || seen.has(record.value)) {
      continue;
    }
    seen.add(record.value);
    const misread = misreadParameter(record.value, isEncrypted(analysis));
    if (misread !== null) {
      warnings.push(atRecord(analysis, record, misread.code, misread.message));
    }
  }
  return warnings;
}

function shrunkPoolWarnings(analysis: Analysis): WarningReport[] {
  const warnings: WarningReport[] = [];
  for (const record of analysis.tables.logs) {
    switch (record.kind) {
      case 'slabs-adjusted':
        warnings.push(
          atRecord(
            analysis,
            record,
            'pool-shrunk',
            `The kernel could not get the pool it was asked for and took ${record.count > 0 ? formatSlotsAndBytes(record.count) : 'a smaller one'}: too little contiguous low memory.`,
          ),
        );
        break;
      case 'size-reduced':
        warnings.push(
          atRecord(
            analysis,
            record,
            'pool-shrunk',
            `The kernel could only allocate ${record.sizeBytes >= 0 ? formatBytes(record.sizeBytes) : 'a smaller pool'}.`,
          ),
        );
        break;
      case 'no-low-mem':
      case 'pool-alloc-failed':
        warnings.push(
          atRecord(
            analysis,
            record,
            'no-pool',
            'The kernel got no bounce buffer pool (also printed with swiotlb=noforce). Mappings that need one will fail.',
          ),
        );
        break;
      default:
        break;
    }
  }
  const unmet = requestedMoreThanMapped(analysis);
  return unmet === null ? warnings : [...warnings, unmet];
}

/** The command line asks for more than the boot line maps, and no message explains it. */
function requestedMoreThanMapped(analysis: Analysis): WarningReport | null {
  const { logs } = analysis.tables;
  const mapped = poolLine(analysis);
  const command = logs.filter((record) => record.kind === 'command-line' && record.value !== '').at(-1);
  const explained = logs.some((record) => record.kind === 'slabs-adjusted' || record.kind === 'size-reduced');
  if (mapped === null || command === undefined || explained || mapped.source !== command.source) {
    return null;
  }
  const asked = readBootParameter(command.value).slots;
  const slots = (mapped.end - mapped.start) / SLOT_BYTES;
  if (asked === null || !(slots > 0) || slots >= asked) {
    return null;
  }
  return atRecord(
    analysis,
    mapped,
    'pool-shrunk',
    `The command line asks for ${formatSlotsAndBytes(asked)} and the pool has ${formatSlotsAndBytes(slots)}.`,
  );
}

function growthWarnings(analysis: Analysis): WarningReport[] {
  const failed = analysis.tables.logs.filter((record) => record.kind === 'grow-failed');
  if (failed.length === 0) {
    return [];
  }
  const times = failed.length === 1 ? '' : ` (${plural(failed.length, 'time')})`;
  return [
    atRecord(
      analysis,
      failed[0],
      'growth-failed',
      `The kernel wanted to add a pool and found no contiguous memory for it, not even 1 MiB${times}.`,
    ),
  ];
}

/** Devices with the same trouble are named up to this many. */
const devicesNamed = 16;

/** A device that cannot reach the end of the boot pool: a bounce buffer above its mask is refused after the search. */
function maskWarnings(analysis: Analysis): WarningReport[] {
  const boot = analysis.geometry.pools.find((pool) => pool.kind === 'boot');
  if (boot === undefined || !Number.isFinite(boot.start.value) || boot.slots.value <= 0) {
    return [];
  }
  const start = boot.start.value;
  const end = start + boot.slots.value * SLOT_BYTES;
  const warnings: WarningReport[] = [];
  for (const device of analysis.tables.devices) {
    const bits = device.dmaMaskBits;
    if (warnings.length === devicesNamed) {
      break;
    }
    if (bits > 0 && bits < 64 && 2 ** bits < end && device.dmaMaskLine > 0) {
      const part = start >= 2 ** bits ? 'all of the pool' : 'part of the pool';
      warnings.push({
        file: fileOf(analysis, device.dmaMaskSource),
        line: device.dmaMaskLine,
        startColumn: 0,
        endColumn: 0,
        code: 'mask-below-pool',
        message: `${device.name} addresses ${bits} bits (${formatBytes(2 ** bits)}), but ${part} (${formatHex(start)}–${formatHex(end)}) lies above: such bounce buffers are refused.`,
      });
    }
  }
  return warnings;
}

function lossWarnings(analysis: Analysis): WarningReport[] {
  const warnings: WarningReport[] = [];
  for (const ledger of analysis.sourceLedgers) {
    const problem = analysis.problems.find(
      (candidate) => candidate.source === ledger.source && candidate.code === 'lost-events',
    );
    const at = {
      file: fileOf(analysis, ledger.source),
      line: Math.max(1, problem?.line ?? 1),
      startColumn: 0,
      endColumn: 0,
    };
    if (ledger.lostEvents > 0) {
      warnings.push({
        ...at,
        code: 'lost-events',
        message: `The kernel dropped ${plural(ledger.lostEvents, 'event')}: ends of mappings may be missing. Record again with a larger buffer_size_kb.`,
      });
    }
    if (ledger.overwritten > 0) {
      warnings.push({
        ...at,
        code: 'overwritten-start',
        message: `The ring buffer overwrote its oldest ${plural(ledger.overwritten, 'event')}: mappings from then are seen only by their unmaps. Record again with a larger buffer_size_kb.`,
      });
    }
  }
  return warnings;
}

/** A log that begins after a flood did: the first thing it says is how many messages it does not have. */
function suppressedWarnings(analysis: Analysis): WarningReport[] {
  const orphans = suppressedBeforeFailures(analysis);
  const first = orphans[0];
  if (first === undefined) {
    return [];
  }
  const count = orphans.reduce((sum, record) => sum + record.count, 0);
  return [
    atRecord(
      analysis,
      first,
      'suppressed-messages',
      `${plural(count, 'message')} of failed mappings came before this log begins and were suppressed. Look at an earlier part of the log.`,
    ),
  ];
}

function leakWarnings(analysis: Analysis): WarningReport[] {
  return suspectedLeaks(analysis).map((leak) => {
    const name = analysis.tables.devices[leak.device]?.name ?? 'a device';
    const holds =
      leak.openSlots > 0 ? `holds ${formatSlotsAndBytes(leak.openSlots)}` : 'holds no slots (its mappings are direct)';
    return {
      file: fileOf(analysis, leak.source),
      line: leak.firstLine,
      startColumn: 0,
      endColumn: 0,
      code: 'leak-suspected',
      message: `${name} maps and does not unmap: ${formatCount(leak.open)} of its ${plural(leak.mapped, 'mapping')} are still open, more with every part of the trace. It ${holds}.`,
    };
  });
}
