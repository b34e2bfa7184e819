import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { sizeSvg } from '../../src/webview/charts/sizeSvg';
import type { ChartTheme } from '../../src/webview/charts/theme';
import { csvOf, jsonOf, slug } from '../../src/webview/exporting';
import { sizeSeries } from '../../src/webview/sizeCurve';

const table = {
  columns: ['device', 'slots', 'lifetimeNs'],
  rows: [
    ['0000:00:05.0', 62, null],
    ['a,"b"\nc', -1.5, true],
    ['=HYPERLINK("x")', 0, 1e21],
    ['-5', 1, 2],
  ],
} as const;

describe('tables as files', () => {
  it('come back from CSV as they were, without formulas', () => {
    const read = Papa.parse<string[]>(csvOf(table), { skipEmptyLines: true });
    expect(read.errors).toEqual([]);
    expect(read.data).toEqual([
      ['device', 'slots', 'lifetimeNs'],
      ['0000:00:05.0', '62', ''],
      ['a,"b"\nc', '-1.5', 'true'],
      [`'=HYPERLINK("x")`, '0', '1e+21'],
      ['-5', '1', '2'],
    ]);
  });

  it('are a list of objects in JSON, unknown values null', () => {
    expect(JSON.parse(jsonOf(table))[0]).toEqual({ device: '0000:00:05.0', slots: 62, lifetimeNs: null });
  });

  it('have names that every file system takes', () => {
    expect(slug('Failing mappings: a/b\\c …')).toBe('failing-mappings-a-b-c');
    expect(slug('…')).toBe('table');
  });
});

describe('the size curve as SVG', () => {
  const theme: ChartTheme = {
    text: '#000',
    muted: '#666',
    grid: 'rgba(128, 128, 128, 0.16)',
    error: '#d00',
    background: '#fff',
    cursor: '#000',
    editorCursor: '#00f',
    selection: '#ccc',
    font: 'sans-serif',
    fontSize: 11,
    highContrast: false,
    series: ['#777', '#11f', '#717', '#171', '#a60', '#aa0'],
  };
  const point = (policy: string, slots: number, failed: number) => ({
    policy,
    slots,
    areas: 1,
    bytes: slots * 2048,
    failed,
    failureRatio: failed / 1000,
    peakBytes: slots * 2048,
    proven: false,
  });
  const series = sizeSeries([
    point('fixed', 512, 100),
    point('fixed', 1024, 1),
    point('fixed', 2048, 0),
    point('dynamic', 512, 0),
  ]);
  const draw = (title: string) =>
    sizeSvg(
      {
        series,
        recommended: 2048,
        knee: 1024,
        today: 512,
        parameter: 'swiotlb=2048',
        title,
        nameOf: ({ policy }) => policy,
      },
      theme,
    );

  it('has a line per policy, the recommendation with its parameter, the knee and today', () => {
    const svg = draw('Requests that fail');
    expect(svg.match(/<polyline /g)).toHaveLength(2);
    for (const text of ['swiotlb=2048', 'knee', 'today', 'fixed', 'dynamic', '4 MiB'])
      expect(svg).toContain(`>${text}<`);
  });

  it('takes text as text', () => {
    const svg = draw('<script>alert(1)</script>');
    expect(svg).not.toContain('<script');
    expect(svg).toContain('&lt;script&gt;');
  });
});
