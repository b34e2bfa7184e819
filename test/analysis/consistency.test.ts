import { describe, expect, it } from 'vitest';
import { codeLensesOf, poolSizeCauses, summaryOf } from '../../src/analysis/codeLenses';
import { diagnose, kernelMessageRemark } from '../../src/analysis/diagnose';
import { hoverAt } from '../../src/analysis/hover';
import { inlayHintsOf } from '../../src/analysis/inlayHints';
import { symbolsOf } from '../../src/analysis/outline';
import { recordedReplay } from '../../src/analysis/recorded';
import { recordedUse } from '../../src/analysis/recordedUse';
import { summaryRow } from '../../src/analysis/summary';
import { causeTitle } from '../../src/analysis/verdict';
import { formatCount } from '../../src/base/format';
import type { Cause } from '../../src/model/cause';
import { analyseFolder } from '../support/captureSummary';
import { fixtureUrl, readFixtureText } from '../support/fixtures';

/** Failures of each capture that are looked at from every side; a flood repeats itself. */
const looked = 60;

/** One failing line, told by the finding, the card, the lens, the hint, the outline, the panel and the summary. */
function check(name: string): void {
  const analysis = analyseFolder(fixtureUrl(`captures/${name}/`));
  const recorded = recordedReplay(analysis);
  const report = diagnose(analysis, { recorded });
  const texts = analysis.tables.sources.map(({ path }) => readFixtureText(`captures/${name}/${path}`).split('\n'));
  const sourceOf = (file: string) => analysis.tables.sources.findIndex(({ path }) => path === file);
  const cardAt = (file: string, line: number, finding: Parameters<typeof hoverAt>[1]['finding'] = null) => {
    const source = sourceOf(file);
    const lineText = texts[source]![line - 1]!;
    // On no word: what the card says of the line.
    return hoverAt(analysis, { source, line, lineText, character: lineText.search(/[a-z]\w*: /), recorded, finding })!;
  };

  expect(report.failures.length).toBeGreaterThan(0);
  const step = Math.max(1, Math.floor(report.failures.length / looked));
  for (let at = 0; at < report.failures.length; at += step) {
    const failure = report.failures[at]!;
    const where = `${failure.file}:${failure.line} ${failure.message}`;
    const episode = report.episodes[failure.episode]!;
    expect(episode.cause, where).toBe(failure.cause);
    const card = cardAt(failure.file, failure.line);
    expect(card.tone, where).toBe('failed');
    expect(card.cause, where).toBe(failure.cause);
    expect(failure.message.startsWith(card.verdict.slice('Failed · '.length)), `${where}\n${card.verdict}`).toBe(true);
    expect(cardAt(failure.file, failure.line, { isFirst: true, episode }).verdict, where).toMatch(
      new RegExp(`^Failed · ${causeTitle(failure.cause)}( ·|$)`),
    );
    for (const { file, line, message } of failure.related) {
      if (message === kernelMessageRemark && line <= texts[sourceOf(file)]!.length) {
        expect(cardAt(file, line).cause, `${where}, its message at ${file}:${line}`).toBe(failure.cause);
      }
    }
    if (!poolSizeCauses.has(failure.cause) && failure.cause !== 'lockup') {
      expect(namesSize(failure.advice), where).toBe(false);
    }
    const hints = inlayHintsOf(analysis, {
      source: sourceOf(failure.file),
      firstLine: failure.line,
      texts: [texts[sourceOf(failure.file)]![failure.line - 1]!],
      mode: 'failures',
    });
    const used = hints.map(({ text }) => /of ([\d,]+) slots used/.exec(text)?.[1]).find((text) => text !== undefined);
    if (used !== undefined && failure.totalSlots !== null) {
      expect(used, where).toBe(formatCount(failure.totalSlots));
    }
  }

  const counts = new Map<Cause, number>();
  for (const { cause } of report.failures) {
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }
  const total = report.failures.length;
  expect(report.episodes.reduce((sum, { count }) => sum + count, 0)).toBe(total);
  expect(summaryOf(analysis, report)).toMatch(new RegExp(`^${formatCount(total)} `));
  for (const [cause, count] of counts) {
    const title = causeTitle(cause).toLowerCase();
    expect(summaryOf(analysis, report)).toContain(counts.size === 1 ? title : `${formatCount(count)} ${title}`);
  }
  for (const [source, { path }] of analysis.tables.sources.entries()) {
    const own = report.episodes.filter(({ file }) => file === path);
    const lenses = codeLensesOf(analysis, report, source).filter(
      ({ action, line }) => action === 'explain' && line > 0,
    );
    const outline = symbolsOf(analysis, report, source).find(({ name: title }) => title === 'Failures');
    expect(lenses.map(({ line, cause }) => [line, cause])).toEqual(
      own.slice(0, lenses.length).map(({ firstLine, cause }) => [firstLine, cause]),
    );
    expect(outline?.children.length ?? 0).toBe(own.length);
    for (const [index, { cause, firstLine }] of own.entries()) {
      expect(outline!.children[index]!.name.startsWith(causeTitle(cause))).toBe(true);
      expect(outline!.children[index]!.firstLine).toBe(firstLine);
    }
  }
  const inTrace = report.failures.filter(({ request, timeNs }) => request !== null && timeNs !== null).length;
  const use = recordedUse(analysis, report);
  if (use !== null) {
    expect(use.failed).toBe(inTrace);
  }
  expect(summaryRow(analysis)).toMatchObject({ failed: total, failuresByCause: Object.fromEntries(counts) });
}

/** Only a larger pool is advised with a number. */
function namesSize(advice: readonly string[]): boolean {
  return advice.some((text) => /swiotlb=[\dN]/.test(text));
}

describe('every surface says the same of a failing line', () => {
  it.each([
    'c1_full_1MiB',
    'c2_full_2MiB_1area',
    'c3_full_1MiB_bounced_only',
    'c4_livelock_dmesg_only',
    'ctl_bigs_fixed_16MiB',
    'ctl_conc_dyn_4area_seedA',
    'ctl_conc_tiny_fixed_seedA',
    'ctl_mask30_fixed',
    'mirror_dyn_1MiB_4area_async_seedC',
    'mirror_fix_4MiB_4area_seedC',
  ])('%s', check);
});
