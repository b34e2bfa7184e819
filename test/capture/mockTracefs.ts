import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const fixtures = fileURLToPath(new URL('../fixtures/capture/', import.meta.url));

export interface MockKernel {
  /** What uname -r says. */
  readonly release: string;
  /** Lines of kallsyms; by default those of a kernel without dynamic pools. */
  readonly symbols?: readonly string[];
  readonly hasFprobes?: boolean;
  readonly hasDmaEvents?: boolean;
  readonly hasInstances?: boolean;
  /** Extended regular expression of probe definitions that this kernel refuses. */
  readonly refuses?: string;
  /** Buffer sizes above are refused. */
  readonly largestBufferKb?: number;
  readonly clocksource?: string;
  /** File of test/fixtures/capture that the recording finds in the buffer. */
  readonly trace?: string;
  /** What dmesg says, in the same folder. */
  readonly log?: string;
  readonly machine?: string;
}

const commonSymbols = [
  'T swiotlb_tbl_map_single',
  't swiotlb_tbl_map_single.cold',
  'T swiotlb_map',
  't __pfx_swiotlb_map',
];
export const symbolsOf61 = [...commonSymbols, 'T swiotlb_tbl_unmap_single'];
export const symbolsOf612 = [...commonSymbols, 'T __pfx___swiotlb_tbl_unmap_single', 'T __swiotlb_tbl_unmap_single'];

/**
 * A folder that looks like tracefs, debugfs, /proc and /sys, and stand-ins for the commands whose effect the kernel
 * would have: dd (control files), mkdir and rmdir (instances), sleep (time passes), dmesg, uname, mount.
 */
export class MockTracefs {
  readonly root = mkdtempSync(path.join(tmpdir(), 'swiotlb-lens-capture-'));
  readonly tracefs = path.join(this.root, 'tracing');
  readonly output = path.join(this.root, 'out');

  constructor(kernel: MockKernel) {
    const { hasDmaEvents = false, hasFprobes = false, hasInstances = true } = kernel;
    const events = ['swiotlb/swiotlb_bounced', 'printk/console', 'sched/sched_switch'];
    if (hasDmaEvents) {
      events.push('dma/dma_map_phys', 'dma/dma_unmap_phys');
    }
    for (const event of events) {
      this.file(`tracing/events/${event}/enable`, '0\n');
    }
    this.file(
      'tracing/README',
      hasFprobes ? '\tp[:[<group>/][<event>]]\n\tf[:[<group>/][<event>]] <func-name>[%return]\n' : '\tp[:]\n',
    );
    this.file('tracing/tracing_on', '1\n');
    this.file('tracing/current_tracer', 'nop\n');
    this.file('tracing/set_event', '');
    this.file('tracing/trace_clock', '[local] global counter uptime perf mono mono_raw boot\n');
    this.file('tracing/buffer_size_kb', '7 (expanded: 1408)\n');
    this.file('tracing/trace_marker', '');
    this.file('tracing/kprobe_events', 'p:other/mine do_sys_open\n');
    this.file('tracing/dynamic_events', 'p:other/mine do_sys_open\n');
    this.file('tracing/kprobe_profile', '  mine 3 0\n');
    for (const name of ['context-info', 'irq-info', 'overwrite']) {
      this.file(`tracing/options/${name}`, '1\n');
    }
    this.file('tracing/options/latency-format', '0\n');
    for (const cpu of ['cpu0', 'cpu1']) {
      this.file(`tracing/per_cpu/${cpu}/stats`, stats);
    }
    this.file('tracing/trace', '# tracer: nop\n#\n');
    if (hasInstances) {
      mkdirSync(path.join(this.tracefs, 'instances'));
    }
    this.file('debug/swiotlb/io_tlb_nslabs', '512\n');
    this.file('debug/swiotlb/io_tlb_used', '259\n');
    this.file('debug/swiotlb/restricted@0/io_tlb_nslabs', '128\n');
    this.file('debug/swiotlb/restricted@0/io_tlb_used', '7\n');
    this.file('kmsg', '');
    this.file('proc/uptime', '0.00 0.00\n');
    this.file('proc/timer_list', timerList('1'));
    this.file('proc/meminfo', 'MemTotal: 4000000 kB\nMemAvailable:    3000000 kB\n');
    this.file('proc/mounts', 'debugfs /sys/kernel/debug debugfs rw 0 0\n');
    this.file('proc/cmdline', 'console=ttyS0 swiotlb=512,force\n');
    this.file('proc/version', `Linux version ${kernel.release} (builder@nowhere) #1 SMP\n`);
    this.file(
      'proc/buddyinfo',
      'Node 0, zone   Normal      1      2      3      0      1      1      1      1      0      1    200\n',
    );
    const symbols = kernel.symbols ?? (hasDmaEvents ? symbolsOf612 : symbolsOf61);
    this.file('proc/kallsyms', ['T vprintk', ...symbols].map((symbol) => `ffffffff810e8110 ${symbol}\n`).join(''));
    this.file('sys/devices/system/clocksource/clocksource0/current_clocksource', `${kernel.clocksource ?? 'tsc'}\n`);
    this.file('sys/bus/pci/devices/0000:00:01.0/dma_mask_bits', '64\n');
    this.file('writes.log', '');
    this.file('clock', '10000');
    this.file('trace.fixture', '# tracer: nop\n#\n');
    if (kernel.trace !== undefined) {
      copyFileSync(path.join(fixtures, kernel.trace), path.join(this.root, 'trace.fixture'));
    }
    copyFileSync(path.join(fixtures, kernel.log ?? 'dmesg-6.1.txt'), path.join(this.root, 'dmesg.fixture'));
    mkdirSync(this.output);
    this.commands(kernel);
    this.run('sleep', '0');
    rmSync(path.join(this.root, 'slept'), { force: true });
  }

  /** Environment of the script. */
  get env(): Record<string, string> {
    return {
      PATH: `${this.root}/bin:/usr/bin:/bin`,
      TRACEFS: this.tracefs,
      DEBUGFS: path.join(this.root, 'debug'),
      PROC: path.join(this.root, 'proc'),
      SYS: path.join(this.root, 'sys'),
      KMSG: path.join(this.root, 'kmsg'),
      OUTPUT: this.output,
    };
  }

  read(name: string): string {
    return readFileSync(path.join(this.root, name), 'utf8');
  }

  /** Control files in the order they were written, and what. */
  writes(): string[] {
    return this.read('writes.log').split('\n').slice(0, -1);
  }

  /** All files of the tree that a restored kernel has, with their content. */
  state(): Record<string, string> {
    const names = readdirSync(this.tracefs, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !['trace_marker', 'stats', 'trace'].includes(entry.name))
      .map((entry) => path.relative(this.root, path.join(entry.parentPath, entry.name)));
    return Object.fromEntries(names.sort().map((name) => [name, this.read(name).trim()]));
  }

  exists(name: string): boolean {
    return existsSync(path.join(this.root, name));
  }

  /** The only bundle, unpacked; its folder. */
  unpack(): string {
    const made = readdirSync(this.output);
    if (made.length !== 1 || !/^swiotlb-capture-\d{8}-\d{6}\.tar\.gz$/.test(made[0]!)) {
      throw new Error(`not one bundle: ${made.join(' ')}`);
    }
    const folder = path.join(this.root, 'unpacked');
    mkdirSync(folder);
    execFileSync('tar', ['-C', folder, '-xzf', path.join(this.output, made[0]!)]);
    return path.join(folder, made[0]!.replace('.tar.gz', ''));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  private run(command: string, ...args: string[]): void {
    execFileSync(path.join(this.root, 'bin', command), args);
  }

  private file(name: string, text: string): void {
    const at = path.join(this.root, name);
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, text);
  }

  private command(name: string, text: string): void {
    this.file(`bin/${name}`, `#!/bin/sh\nPATH=/usr/bin:/bin\nM='${this.root}'\n${text}`);
    chmodSync(path.join(this.root, 'bin', name), 0o755);
  }

  private commands(kernel: MockKernel): void {
    this.command('id', 'echo 0\n');
    this.command(
      'uname',
      `case $1 in -r) echo '${kernel.release}' ;; *) echo '${kernel.machine ?? 'x86_64'}' ;; esac\n`,
    );
    // The log has lost its first lines by the second look, and has a new last one.
    this.command(
      'dmesg',
      `if [ -e "$M/looked" ]; then tail -n +3 "$M/dmesg.fixture"; else touch "$M/looked"; grep -v 'buffer is full' "$M/dmesg.fixture"; fi\n`,
    );
    // Mounting makes the tree appear there; what is mounted is in mounts.log.
    this.command(
      'mount',
      `[ -d "\${4%/*}" ] || exit 1
case $2 in tracefs) ln -s "$M/tracing" "$4" ;; debugfs) ln -s "$M/debug" "$4" ;; esac
echo "$4" >> "$M/mounts.log"
`,
    );
    this.command('umount', `rm "$1"\ngrep -vxF "$1" "$M/mounts.log" > "$M/list"\ncat "$M/list" > "$M/mounts.log"\n`);
    this.command(
      'mkdir',
      `case $1 in
  */instances/*)
    mkdir "$1" || exit 1
    for part in "$M"/tracing/*; do
      case $part in */instances) ;; *) cp -r "$part" "$1/" ;; esac
    done
    cp "$M/trace.fixture" "$1/trace" ;;
  *) exec mkdir "$@" ;;
esac
`,
    );
    this.command('rmdir', `case $1 in */instances/*) exec rm -r "$1" ;; *) exec rmdir "$@" ;; esac\n`);
    // Time passes; what was written to trace_marker is in the trace.
    this.command(
      'sleep',
      `touch "$M/slept"
now=$(($(cat "$M/clock") + 10))
echo "$now" > "$M/clock"
seconds=$((now / 100)).$(printf '%02d' $((now % 100)))
echo "$seconds 0.00" > "$M/proc/uptime"
printf '${timerList('%s0000000').replaceAll('\n', '\\n')}' "$now" > "$M/proc/timer_list"
for place in "$M/tracing" "$M"/tracing/instances/*; do
  [ -d "$place" ] || continue
  if [ -s "$place/trace_marker" ]; then
    while read -r line; do
      printf '              sh-77      [001] .....   %s0005: tracing_mark_write: %s\\n' "\${line##*boot=}" "$line"
    done < "$place/trace_marker" >> "$place/trace"
    : > "$place/trace_marker"
  fi
done
exec sleep \${MOCK_SLEEP:-0}
`,
    );
    const refuses = kernel.refuses ?? '^$';
    this.command(
      'dd',
      `for argument in "$@"; do case $argument in of=*) file=\${argument#of=} ;; esac; done
text=$(cat)
printf '%s %s\\n' "\${file#"$M/tracing/"}" "$text" >> "$M/writes.log"
[ -e "$file" ] || exit 1
name=\${text#*:}
name=\${name%% *}
case $file in
  */dynamic_events | */kprobe_events)
    case $text in
      -:*)
        cat "$M"/tracing/events/$name/enable "$M"/tracing/instances/*/events/$name/enable 2> /dev/null | grep -q 1 && exit 1
        [ -d "$M/tracing/events/$name" ] || exit 1
        for list in kprobe_events dynamic_events; do
          grep -v ":$name " "$M/tracing/$list" > "$M/list"
          cat "$M/list" > "$M/tracing/$list"
        done
        rm -rf "$M/tracing/events/$name" "$M"/tracing/instances/*/events/$name
        rmdir "$M/tracing/events/\${name%/*}" 2> /dev/null ;;
      *)
        printf '%s\\n' "$text" | grep -qE '${refuses}' && exit 1
        printf '%s \\n' "$text" >> "$M/tracing/dynamic_events"
        case $text in f:*) ;; *) printf '%s \\n' "$text" >> "$M/tracing/kprobe_events" ;; esac
        for place in "$M/tracing" "$M"/tracing/instances/*; do
          [ -d "$place" ] || continue
          mkdir -p "$place/events/$name"
          echo 0 > "$place/events/$name/enable"
        done ;;
    esac ;;
  */trace_clock)
    all=$(tr -d '[]' < "$file")
    case " $all " in *" $text "*) ;; *) exit 1 ;; esac
    for clock in $all; do
      if [ "$clock" = "$text" ]; then printf '[%s] ' "$clock"; else printf '%s ' "$clock"; fi
    done > "$file" ;;
  */buffer_size_kb)
    [ "$text" -le ${kernel.largestBufferKb ?? 10_000_000} ] || exit 1
    echo "$text" > "$file" ;;
  *) printf '%s\\n' "$text" > "$file" ;;
esac
exit 0
`,
    );
  }
}

/** A time as a shell read it from a running kernel, which makes this text anew for every byte: useless as a clock. */
const stats =
  'entries: 12\noverrun: 0\ncommit overrun: 0\nbytes: 900\noldest event ts:     1.000000\nnow ts:     330.6320140\ndropped events: 0\nread events: 0\n';

function timerList(nanoseconds: string): string {
  return `Timer List Version: v0.9\nHRTIMER_MAX_CLOCK_BASES: 8\nnow at ${nanoseconds} nsecs\n\ncpu: 0\n clock 0:\n`;
}
