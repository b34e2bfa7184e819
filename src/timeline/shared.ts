import { GrowableTable } from '../base/columns';
import type { StringTable } from '../base/stringTable';
import {
  createRequestTable,
  type FactTable,
  type FreePageTable,
  factColumns,
  freePageColumns,
  type RequestTable,
  type SampleTable,
  sampleColumns,
} from '../model/tables';
import { CallCounter } from './calls';
import { DeviceTable } from './devices';
import { PoolTracker } from './pools';

/** The tables all sources write to. */
export interface SharedTables {
  readonly strings: StringTable;
  readonly devices: DeviceTable;
  readonly requests: RequestTable;
  readonly pools: PoolTracker;
  readonly calls: CallCounter;
  readonly facts: FactTable;
  readonly samples: SampleTable;
  readonly freePages: FreePageTable;
}

export function createSharedTables(strings: StringTable): SharedTables {
  return {
    strings,
    devices: new DeviceTable(strings),
    requests: createRequestTable(),
    pools: new PoolTracker(),
    calls: new CallCounter(),
    facts: new GrowableTable(factColumns, 64),
    samples: new GrowableTable(sampleColumns, 64),
    freePages: new GrowableTable(freePageColumns, 64),
  };
}
