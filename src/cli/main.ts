import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ReplaySettingError } from '../analysis/replaySetup';
import { runAnonymize } from './anonymize';
import { type CaptureFlags, runCapture } from './capture';
import {
  type CommonFlags,
  type Context,
  Exit,
  runBoot,
  runCompare,
  runDevices,
  runDiagnose,
  runInfo,
  runPolicies,
  runReplay,
  runSize,
  runVectorFiles,
  runVerify,
  UsageError,
} from './commands';
import { runDemo } from './demo';
import { FailOnError } from './failOn';
import {
  addGeometryOptions,
  devicesIn,
  type GeometryFlags,
  overridesOf,
  readBytes,
  readCount,
  readCpus,
  readShare,
} from './geometryOptions';
import { readVersion } from './package';
import { type ReportFlags, runReport } from './report';
import { runSummarize, type SummarizeFlags } from './summarize';
import { createTerminal } from './terminal';

const examples = `
Examples:
  dmesg | swiotlb-lens                   why did "swiotlb buffer is full" appear?
  swiotlb-lens trace.txt                 the same of a trace (.gz, .zst, folders)
  swiotlb-lens replay trace.txt --policy dynamic
  swiotlb-lens replay trace.txt --policy fixed --pool-slots 65536
  swiotlb-lens compare trace.txt --policies fixed,transient,dynamic
  swiotlb-lens devices trace.txt         who holds the slots?
  swiotlb-lens size trace.txt            how large must the pool be?
  swiotlb-lens report trace.txt -o report.html
                                         all of it as a page to keep or to send
  swiotlb-lens verify trace.txt          does the model reproduce the addresses?
  swiotlb-lens boot "swiotlb=128k" --cpus 8 --mem 16G
  swiotlb-lens capture --kernel "$(uname -r)" > swiotlb-capture.sh
  swiotlb-lens anonymize trace.txt -o for-the-list.txt
  swiotlb-lens diagnose trace.txt --json --fail-on 'failures.length > 0'

Exit codes: 0 done · 1 a gate failed · 2 wrong usage
            3 empty, unreadable or not a trace · 4 data lost (--strict)`;

const fileArgument = 'trace, log, capture folder, or - for standard input';
const version = readVersion();
const terminal = createTerminal();
let exitCode: number = Exit.done;

// The reader of a pipe may leave early (head, a closed pager): that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCode : Exit.unreadable);
});

createProgram()
  .parseAsync(process.argv)
  .catch((error: unknown) => {
    exitCode = exitCodeOf(error);
  })
  .finally(() => {
    process.exitCode = exitCode;
  });

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? Exit.done : Exit.usage;
  }
  if (error instanceof UsageError || error instanceof FailOnError || error instanceof ReplaySettingError) {
    terminal.note(`swiotlb-lens: ${error.message}`);
    return Exit.usage;
  }
  // Errors of the outside world (disk full, no permission to write --series) carry a code.
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    terminal.note(
      `swiotlb-lens: ${'path' in error ? `${error.path}: ` : ''}${writeFailure(error.code, error.message)}`,
    );
    return Exit.unreadable;
  }
  terminal.note(`swiotlb-lens: a bug, please report it: ${error instanceof Error ? error.stack : String(error)}`);
  return Exit.bug;
}

/** Reading tells of its own failures: what comes up to here was written. */
function writeFailure(code: string, message: string): string {
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such folder to write to',
    ENOTDIR: 'there is no such folder to write to',
    EISDIR: 'this is a folder, not a file to write',
    EACCES: 'no permission to write',
    EPERM: 'no permission to write',
    EROFS: 'this cannot be written to',
    ENOSPC: 'no space left on the device',
  };
  return known[code] ?? message;
}

function createProgram(): Command {
  const program = new Command('swiotlb-lens')
    .description('Says why the software IO TLB ran full, and replays a trace under other policies.')
    .version(version)
    .addHelpText('after', examples)
    .showHelpAfterError('(swiotlb-lens --help shows examples)');

  addCommon(
    program.command('diagnose', { isDefault: true }).description('why mappings failed and what helps (the default)'),
  )
    .argument('[file...]', fileArgument)
    .option('--sarif', 'print SARIF 2.1.0 instead of text')
    .action(async (files: string[], flags: CommonFlags & GeometryFlags & { sarif?: boolean }, command: Command) => {
      if (files.length === 0 && process.stdin.isTTY === true) {
        command.parent?.outputHelp({ error: true });
        exitCode = Exit.usage;
        return;
      }
      const options = { sarif: flags.sarif === true, version };
      exitCode = await runDiagnose(files.length === 0 ? ['-'] : files, contextOf(flags), options);
    });

  addCommon(program.command('info').description('what an input is, its kernel, and how well it was understood'))
    .argument('<file...>', fileArgument)
    .action(async (files: string[], flags: CommonFlags & GeometryFlags) => {
      exitCode = await runInfo(files, contextOf(flags));
    });

  addCommon(program.command('devices').description('who uses the pool, how much, how long, and who may leak'))
    .argument('<file...>', fileArgument)
    .action(async (files: string[], flags: CommonFlags & GeometryFlags) => {
      exitCode = await runDevices(files, contextOf(flags));
    });

  addReplayOptions(addCommon(program.command('replay').description('what another policy or pool would have done')))
    .argument('<file...>', fileArgument)
    .requiredOption('--policy <id>', 'see swiotlb-lens policies')
    .option('--requests <csv>', 'write one row per replayed request', readFileName)
    .action(async (files: string[], flags: CommonFlags & GeometryFlags & ReplayOptions & { policy: string }) => {
      exitCode = await runReplay(files, contextOf(flags), {
        policy: flags.policy,
        set: flags.set,
        bounceAll: flags.bounceAll === true,
        series: flags.series,
        requests: flags.requests,
      });
    });

  addReplayOptions(
    addCommon(program.command('compare').description('policies side by side, or several traces under one policy')),
  )
    .argument('<file...>', fileArgument)
    .requiredOption('--policies <ids>', 'policies separated by commas', splitList)
    .action(async (files: string[], flags: CommonFlags & GeometryFlags & ReplayOptions & { policies: string[] }) => {
      exitCode = await runCompare(files, contextOf(flags), {
        policies: flags.policies,
        set: flags.set,
        bounceAll: flags.bounceAll === true,
        series: flags.series,
      });
    });

  addReplayOptions(addCommon(program.command('size').description('how large the pool must be for this load')), {
    series: false,
  })
    .argument('<file...>', fileArgument)
    .option('--policies <ids>', 'policies separated by commas', splitList)
    .option('--headroom <share>', 'added to the smallest size', readShare, 0.2)
    .action(
      async (
        files: string[],
        flags: CommonFlags & GeometryFlags & ReplayOptions & { policies?: string[]; headroom: number },
      ) => {
        exitCode = await runSize(files, contextOf(flags), {
          policies: flags.policies,
          headroom: flags.headroom,
          set: flags.set,
          bounceAll: flags.bounceAll === true,
        });
      },
    );

  addCommon(program.command('verify').description('does the model reproduce every recorded address and failure?'))
    .argument('<file...>', fileArgument)
    .action(async (files: string[], flags: CommonFlags & GeometryFlags) => {
      exitCode = await runVerify(files, contextOf(flags));
    });

  addReplayOptions(
    addCommon(program.command('report').description('everything about an input as one page to keep or to send')),
    { series: false },
  )
    .argument('<file>', fileArgument)
    .option('-o, --output <file>', 'where to write it; absent: standard output')
    .addOption(
      new Option('--format <format>', 'html, or md to paste; absent: by the name of the output').choices([
        'html',
        'md',
      ]),
    )
    .option('--policies <ids>', 'policies to compare, separated by commas', splitList)
    .option('--no-size', 'leave out the search for the pool size, the longest part')
    .action(async (file: string, flags: CommonFlags & GeometryFlags & ReplayOptions & ReportFlags) => {
      exitCode = await runReport(file, contextOf(flags), { ...flags, bounceAll: flags.bounceAll === true });
    });

  addCommon(program.command('summarize').description('one row of JSON per input, for tables of many machines'))
    .argument('<file...>', fileArgument)
    .option(
      '--parquet <file>',
      'write the rows as a Parquet file, too: a column per field, one per cause, warnings as JSON',
      readFileName,
    )
    .action(async (files: string[], flags: CommonFlags & GeometryFlags & SummarizeFlags) => {
      exitCode = await runSummarize(files, contextOf(flags), flags);
    });

  addOutput(program.command('vectors').description('run allocator vector files through the model'))
    .argument('<path...>', 'files or folders')
    .action(async (paths: string[], flags: CommonFlags) => {
      exitCode = await runVectorFiles(paths, contextOf(flags));
    });

  addOutput(program.command('policies').description('the policies and their parameters')).action(
    (flags: CommonFlags) => {
      exitCode = runPolicies(contextOf(flags));
    },
  );

  addOutput(program.command('boot').description('what a kernel makes of a swiotlb= parameter'))
    .argument('[parameter]', '"swiotlb=…" or a whole command line', '')
    .option('--cpus <n>', 'possible CPUs', readCpus, 1)
    .option('--mem <bytes>', 'memory of the machine, such as 8G', readBytes)
    .addOption(new Option('--arch <arch>', 'architecture').choices(['x86', 'arm64']).default('x86'))
    .option('--encrypted', 'a guest with memory encryption (SEV, TDX)')
    .action((parameter: string, flags: CommonFlags & BootOptions) => {
      exitCode = runBoot(
        {
          parameter,
          cpus: flags.cpus,
          memoryBytes: flags.mem ?? null,
          arch: flags.arch,
          encrypted: flags.encrypted === true,
        },
        contextOf(flags),
      );
    });

  program
    .command('capture')
    .description('a shell script that records a trace on a kernel')
    .requiredOption('--kernel <release>', 'release of that kernel (uname -r), such as 6.12')
    .option('--seconds <n>', 'how long it records', readCount, 30)
    .option('--json', 'print one JSON object')
    .action((flags: CommonFlags & CaptureFlags) => {
      exitCode = runCapture(flags, { terminal, overrides: {}, flags });
    });

  program
    .command('anonymize')
    .description('a copy to give away: the same events with other names and addresses')
    .argument('<file>', 'trace, log, capture folder or archive')
    .requiredOption('-o, --output <path>', 'file to write (.gz packs it); a folder when the input is one or an archive')
    .option('--json', 'print one JSON object')
    .action(async (file: string, flags: CommonFlags & { output: string }) => {
      exitCode = await runAnonymize(file, flags.output, { terminal, overrides: {}, flags });
    });

  program
    .command('demo', { hidden: true })
    .description('the main job on the bundled sample')
    .action(async () => {
      exitCode = await runDemo({ terminal, overrides: {}, flags: {} });
    });

  for (const command of [program, ...program.commands]) {
    command.exitOverride();
  }
  return program;
}

interface ReplayOptions {
  readonly set: Readonly<Record<string, string>>;
  readonly bounceAll?: boolean;
  readonly series?: string;
  readonly requests?: string;
}

interface BootOptions {
  readonly cpus: number;
  readonly mem?: number;
  readonly arch: 'x86' | 'arm64';
  readonly encrypted?: boolean;
}

function addOutput(command: Command): Command {
  return command
    .option('--json', 'print one JSON object (one per line for several inputs)')
    .option('--fail-on <expression>', 'exit 1 when it holds: fields of the JSON object, + - * /, comparisons, and, or');
}

function addCommon(command: Command): Command {
  return addGeometryOptions(
    addOutput(command).option('--strict', 'exit 4 when data was lost or lines were not understood'),
  );
}

function addReplayOptions(command: Command, has = { series: true }): Command {
  command
    .option('--set <name=value>', 'a parameter of the policy; may be repeated', collectSetting, {})
    .option('--bounce-all', 'dry run for a confidential VM: every mapping bounces');
  return has.series ? addSeries(command) : command;
}

function addSeries(command: Command): Command {
  return command.option('--series <csv>', 'write time,policy,used,capacity,transient,failures', readFileName);
}

function collectSetting(text: string, all: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) {
    throw new UsageError(`--set takes name=value, not '${text}'`);
  }
  return { ...all, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Standard output has the report. */
function readFileName(text: string): string {
  if (text === '-' || text === '') {
    throw new InvalidArgumentError('Expected the name of a file: standard output has the report.');
  }
  return text;
}

function splitList(text: string): string[] {
  const items = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (items.length === 0) {
    throw new InvalidArgumentError('Expected names separated by commas (swiotlb-lens policies lists them).');
  }
  return items;
}

function contextOf(flags: CommonFlags & GeometryFlags): Context {
  return { terminal, overrides: overridesOf(flags), namedDevices: devicesIn(flags), flags };
}
