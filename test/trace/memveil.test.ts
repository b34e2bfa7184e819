import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { Outcome } from '../../src/model/tables';
import { collect, countKinds } from './collect';

const session = JSON.stringify({
  schema_version: '0.1.0',
  session_id: 'cap-1',
  environment: { evidence: [{ type: 'provenance', source: 'kernel.release', interpretation: '7.0.0-34-generic' }] },
  device_catalog: { devices: [{ device_id: 'd000001', name: '0000:00:0c.0', driver: 'virtio-pci' }] },
  quality: { detail: { status: 'partial', loss_count: '3' } },
});

let seq = 0;
function line(kind: string, timeNs: string, data: object, more: object = {}): string {
  const source = { hook: 'swiotlb:swiotlb_bounced', backend: 'tracepoint', profile_id: 'p', measurement: 'observed' };
  const frame = { schema_version: '0.1.1', session_id: 'cap-1', seq: String(seq++), ts_ns: timeNs, kind, source };
  return JSON.stringify({ ...frame, ...more, data });
}

const attempt = (operation: string, size = '4096') => ({
  device_id: 'd000001',
  requested_bytes: size,
  forced: true,
  operation_id: operation,
});

describe('memveil', () => {
  it('takes attempts, names devices by the session, keeps CPU and task', () => {
    const observer = { observer_context: { cpu: 3, pid: 77, comm: 'fio', relation: 'execution_context_only' } };
    const { events, summary } = collect(
      [session, line('bounce_attempt', '6067992159', attempt('op0', '98'), observer), ''].join('\n'),
    );
    expect(events).toEqual([
      expect.objectContaining({
        kind: 'bounced',
        line: 2,
        device: '0000:00:0c.0',
        sizeBytes: 98,
        forced: true,
        cpu: 3,
        pid: 77,
        comm: 'fio',
      }),
    ]);
    expect(events[0]).not.toHaveProperty('original');
    expect(summary).toMatchObject({ format: 'memveil', timeUnit: 'ns', origin: { seconds: 6, nanoseconds: 67992159 } });
    expect(summary.header.release).toBe('7.0.0-34-generic');
    expect(summary.ledger.lostEvents).toBe(3);
  });

  it('joins a failed result to its attempt and only counts a success, which has no address', () => {
    const failed = { operation_id: 'op1', success: false, mapping_id: null, return_code: -12, mapped_bytes: null };
    const served = { operation_id: 'op2', success: true, mapping_id: 'm1', return_code: null, mapped_bytes: '4096' };
    const { events, summary } = collect(
      [
        line('bounce_attempt', '1000000000', attempt('op1')),
        line('map_result', '1000000500', failed),
        line('bounce_attempt', '1000001000', attempt('op2')),
        line('map_result', '1000001500', served),
        line('unmap', '1000002000', { mapping_id: 'm1' }),
        line('copy', '1000002100', { operation_id: 'op2', mapping_id: 'm1', direction: 'x', bytes: '1' }),
        '',
      ].join('\n'),
    );
    expect(countKinds(events)).toEqual({ bounced: 2, probeMapReturn: 1 });
    expect(events[1]).toMatchObject({ kind: 'probeMapReturn', failed: true, sizeBytes: 4096, device: 'd000001' });
    expect(summary.ledger.countedByName).toEqual({ 'memveil map_result': 1, 'memveil unmap': 1, 'memveil copy': 1 });
    expect(summary.ledger.notUnderstood).toBe(0);
  });

  it('takes pool samples in slots, gaps as losses, markers as text', () => {
    const { samples, lost, events } = collect(
      [
        line('pool_sample', '5000000000', {
          pool_id: 'pool-0',
          used_bytes: '524288',
          capacity_bytes: '1048576',
          unit: 'bytes',
          hiwater_bytes: '786432',
        }),
        line('pool_sample', '5000000001', { pool_id: 'pool-0', used_bytes: '5', capacity_bytes: '9', unit: 'unknown' }),
        line('gap', '5000000002', { channel: 'detail', lost_count: null, reason: 'ring full' }),
        line('marker', '5000000003', { text: 'run two' }),
        '',
      ].join('\n'),
    );
    expect(samples).toEqual([expect.objectContaining({ nslabs: 512, used: 256, hiwater: 384, pool: '', timeNs: 0 })]);
    expect(lost).toEqual([{ cpu: -1, count: -1, line: 3 }]);
    expect(events).toEqual([expect.objectContaining({ kind: 'marker', text: 'run two' })]);
  });

  it('does not mind the times of counters, which are written after the events', () => {
    const counter = { counter_id: 'swiotlb.bounce_attempts', epoch: '0', value: '30', unit: 'count' };
    const { summary } = collect(
      [
        line('bounce_attempt', '9000000000', attempt('a')),
        line('counter_snapshot', '4000000000', counter),
        line('bounce_attempt', '9000000100', attempt('b')),
        '',
      ].join('\n'),
    );
    expect(summary.problems).toEqual([]);
    expect(summary.ledger).toMatchObject({ lines: 3, understood: 2, counted: 1 });
  });

  it('calls cut lines and lines without their fields not understood', () => {
    const whole = line('bounce_attempt', '1', attempt('a'));
    const cut = collect(`${whole}\n${whole.slice(0, 120)}`);
    expect(cut.summary.ledger).toMatchObject({ understood: 1, notUnderstood: 1 });
    expect(cut.summary.problems[0]?.code).toBe('torn-line');
    const missing = collect(`${whole}\n${line('bounce_attempt', '2', { device_id: 'd' })}\n`);
    expect(missing.summary.ledger).toMatchObject({ understood: 1, notUnderstood: 1 });
  });

  it('takes flat objects of other writers only for the attempt, and leaves other JSON alone', () => {
    const flat = '{"ts_ns": 7000, "event": "swiotlb_bounced", "cpu": 1, "dev_name": "0000:00:07.0", "size": 54}';
    expect(collect(`${flat}\n`).events).toEqual([
      expect.objectContaining({ kind: 'bounced', device: '0000:00:07.0', sizeBytes: 54, cpu: 1 }),
    ]);
    const other = collect('{"ts_ns": 7000, "event": "login", "user": "x"}\n');
    expect(other.summary.recognised).toBe(false);
  });
});

describe('memveil, joined', () => {
  it('gives one request per attempt, failed where the result says so', () => {
    const builder = createAnalysis();
    const source = builder.openSource({ path: 'events.ndjson' });
    const failed = { operation_id: 'op1', success: false, mapping_id: null, return_code: -12, mapped_bytes: null };
    const text = [
      line('bounce_attempt', '1000000000', attempt('op1')),
      line('map_result', '1000000500', failed),
      line('bounce_attempt', '1000001000', attempt('op2')),
      '',
    ].join('\n');
    source.push(new TextEncoder().encode(text));
    source.end();
    const { requests } = builder.snapshot().tables;
    expect(requests.length).toBe(2);
    expect([...requests.columns.outcome.subarray(0, 2)]).toEqual([Outcome.failed, Outcome.unknown]);
  });
});
