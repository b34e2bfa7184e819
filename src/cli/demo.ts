import { readdirSync } from 'node:fs';
import path from 'node:path';
import { compareReport } from '../analysis/compare';
import { diagnose } from '../analysis/diagnose';
import { recordedReplay } from '../analysis/recorded';
import { replayReport } from '../analysis/replay';
import { type Context, Exit } from './commands';
import { loadAnalysis } from './load';
import { packageRoot } from './package';
import { diagnoseText } from './textDiagnose';
import { compareText, replayText } from './textReplay';

const samples = path.join(packageRoot, 'media', 'samples');

/** The main job in the terminal on the bundled sample: diagnose, replay with dynamic pools, compare. */
export async function runDemo(context: Context): Promise<number> {
  const { terminal } = context;
  const { style } = terminal;
  const sample = findSample();
  if (sample === null) {
    terminal.note(`swiotlb-lens: the sample is not there: ${samples}`);
    return Exit.unreadable;
  }
  const loaded = await loadAnalysis(sample, {}, terminal);
  if (!loaded.ok) {
    terminal.note(`swiotlb-lens: ${loaded.error}`);
    return Exit.unreadable;
  }
  const { analysis } = loaded;
  const title = (command: string) => terminal.out(`${style.dim('$')} ${style.bold(`swiotlb-lens ${command}`)}\n\n`);
  const name = path.basename(sample);
  title(`diagnose ${name}`);
  terminal.out(diagnoseText(diagnose(analysis, { recorded: recordedReplay(analysis) }), terminal));
  terminal.out('\n');
  title(`replay ${name} --policy dynamic`);
  const { report, result } = replayReport(analysis, { policy: 'dynamic' });
  terminal.out(replayText(report, result.hasTime ? result.series : null, null, terminal));
  terminal.out('\n');
  title(`compare ${name} --policies fixed,transient,dynamic`);
  terminal.out(
    compareText(compareReport(analysis, { policies: ['fixed', 'transient', 'dynamic'] }).report, null, terminal),
  );
  return Exit.done;
}

/** The first capture folder among the samples, else the first trace. */
function findSample(): string | null {
  try {
    const entries = readdirSync(samples, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    const folder = entries.find((entry) => entry.isDirectory());
    const trace = entries.find((entry) => /trace.*\.txt/.test(entry.name));
    const found = folder ?? trace;
    return found === undefined ? null : path.join(samples, found.name);
  } catch {
    return null;
  }
}
