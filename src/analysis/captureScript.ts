import { type CaptureKernels, type CaptureProbes, type MapProbeStyle, unmapArguments } from './captureKernels';
import { quoted, sh } from './captureShell';

export interface CaptureScriptOptions {
  readonly kernels: CaptureKernels;
  /** How long it records unless it is told otherwise when it is started. */
  readonly seconds: number;
}

/** A POSIX shell script that records a capture on a kernel of the range, and packs it as one bundle. */
export function captureScript({ kernels, seconds }: CaptureScriptOptions): string {
  const { probes } = kernels;
  return [
    header(kernels, seconds),
    settings(kernels, seconds),
    helpers,
    finding,
    tracing,
    events,
    probes === null ? '' : probing(probes),
    sampling,
    ending,
    saving,
    main(kernels),
  ].join('\n');
}

/** One sentence on what is known about the script on these kernels. */
export function triedText({ triedOn }: CaptureKernels): string {
  return triedOn.length === 0
    ? 'Nobody has run this script on a kernel of this range yet; read it before you do, and try it on a machine that may fail.'
    : `It was run on ${triedOn.join(' and ')}, in virtual machines; not on the other kernels of this range.`;
}

function header(kernels: CaptureKernels, seconds: number): string {
  const gives =
    kernels.probes === null
      ? 'It records every attempt to bounce; on these kernels it cannot record where a mapping went and when it ended.'
      : 'It records every bounced mapping with its bounce address and its end: enough for an exact replay.';
  const comment = (text: string) =>
    wrapWords(text, 100)
      .map((line) => `# ${line}\n`)
      .join('');
  return [
    '#!/bin/sh\n',
    comment(`Records a swiotlb capture for SWIOTLB Lens on ${kernels.title}, as one file swiotlb-capture-*.tar.gz.`),
    comment(gives),
    comment(triedText(kernels)),
    '#\n',
    comment(
      'It needs root. It changes settings of the kernel tracer only while it runs: at the end, on Ctrl-C and on errors it removes its probes and its trace instance. Tracing costs CPU time with every DMA mapping, so do not leave it running.',
    ),
    '#\n',
    `#   sudo sh swiotlb-capture.sh                  record ${seconds} s (Ctrl-C ends it earlier, with the bundle)\n`,
    '#   sudo sh swiotlb-capture.sh --seconds 120    longer\n',
    '#   sudo sh swiotlb-capture.sh --cleanup        remove what a killed recording left behind\n',
    '#\n',
    '# Environment: BUFFER_KB (trace buffer per CPU), SAMPLE_SECONDS (between two looks at the counters), OUTPUT\n',
    '# (folder of the bundle), FORCE=1 (other kernels, or a tracer somebody else is using), TRACEFS, DEBUGFS, PROC, SYS.\n',
    '#\n',
    '# The kernel, not the shell, expands the $arg1 and $retval of probe definitions.\n',
    '# shellcheck disable=SC2016\n',
  ].join('');
}

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}

function settings(kernels: CaptureKernels, seconds: number): string {
  const { probes } = kernels;
  return sh`
set -u
LC_ALL=C
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

DURATION=${String(seconds)}
PROC=\${PROC:-/proc}
SYS=\${SYS:-/sys}
KMSG=\${KMSG:-/dev/kmsg}
OUTPUT=\${OUTPUT:-.}
SAMPLE_SECONDS=\${SAMPLE_SECONDS:-0.1}
BUFFER_KB=\${BUFFER_KB:-32768}
FORCE=\${FORCE:-0}
GROUP=swiotlb_lens
INSTANCE=swiotlb-lens
KERNELS=${quoted(kernels.title)}
FIRST_RELEASE=${String(kernels.first)}
LAST_RELEASE=${String(kernels.last ?? 999_999)}
${probes === null ? '' : probeSettings(probes)}`;
}

/** What is probed, in the kernel's own notation. */
function probeSettings(probes: CaptureProbes): string {
  const lines = [
    ['MAP_STYLES', probes.styles.join(' ')],
    ['MAP_ARGS', probes.mapArguments],
    ['MAP_ARGS_BEFORE_6_10', probes.mapArgumentsBefore610],
    ['UNMAP_SYMBOLS', probes.unmapSymbols.join(' ')],
    ['UNMAP_ARGS', unmapArguments],
    ['POOL_NEW_ARGS', probes.poolNewArguments],
    ['POOL_FREE_ARGS', probes.poolFreeArguments],
  ] as const;
  return lines.map(([name, value]) => (value === null ? '' : `${name}=${quoted(value)}\n`)).join('');
}

const helpers = sh`
T=          # tracefs
D=          # debugfs
I=          # where the recording is set up: an instance of its own, or tracefs itself
OWN=0       # 1: the instance is ours
WORK=       # folder that becomes the bundle
DEFINED=    # probe events that were defined
ENABLED=    # events that were off before
SAVED=      # option=value pairs of the shared tracer to put back
MOUNTED=    # what was mounted for the recording
STOP=0

say() {
  printf 'swiotlb-capture: %s\n' "$*" >&2
}

note() {
  say "$*"
  if [ -n "$WORK" ]; then
    printf '%s\n' "$*" >> "$WORK/notes.txt"
  fi
}

die() {
  say "$*"
  exit 1
}

# Writes a control file. dd writes the text in one piece, does not truncate (that would remove the probes of others),
# and its exit status is what the kernel said.
put() {
  printf '%s\n' "$2" | dd of="$1" bs=4096 count=1 conv=notrunc 2> /dev/null
}

# First line of a file in LINE, without starting a process.
line_of() {
  LINE=
  if [ -r "$1" ]; then
    read -r LINE < "$1" || :
  fi
}

usage() {
  cat << 'END'
usage: sh swiotlb-capture.sh [--seconds N] [--output DIR] [--cleanup]
END
}
`;

const finding = sh`
mount_at() {
  # Not every system has the folder (a minimal initramfs).
  if mount -t "$1" "$1" "$2" 2> /dev/null; then
    MOUNTED="$2 $MOUNTED"
  fi
}

find_tracefs() {
  if [ -n "\${TRACEFS:-}" ]; then
    T=$TRACEFS
  else
    [ -e "$SYS/kernel/tracing/tracing_on" ] || [ -e "$SYS/kernel/debug/tracing/tracing_on" ] ||
      mount_at tracefs "$SYS/kernel/tracing"
    T=$SYS/kernel/tracing
    [ -e "$T/tracing_on" ] || T=$SYS/kernel/debug/tracing
  fi
  [ -e "$T/tracing_on" ] || die 'no tracefs: this kernel has no tracing, or it is locked down (see /sys/kernel/security/lockdown)'
  [ -w "$T/tracing_on" ] || die 'the tracer cannot be set up: run this script as root'
}

find_debugfs() {
  D=\${DEBUGFS:-}
  if [ -z "$D" ]; then
    D=$SYS/kernel/debug
    grep -qs ' debugfs ' "$PROC/mounts" || mount_at debugfs "$D"
  fi
}

check_kernel() {
  RELEASE=$(uname -r)
  MAJOR=\${RELEASE%%.*}
  MINOR=\${RELEASE#*.}
  MINOR=\${MINOR%%[!0-9]*}
  case $MAJOR.$MINOR in
    *[!0-9.]* | .* | *.) die "the release $RELEASE is not understood" ;;
  esac
  code=$((MAJOR * 1000 + MINOR))
  if [ "$code" -lt "$FIRST_RELEASE" ] || [ "$code" -gt "$LAST_RELEASE" ]; then
    [ "$FORCE" = 1 ] || die "this script is for $KERNELS and this is $RELEASE: the arguments it would record may be wrong ones. Make one for this kernel (swiotlb-lens capture --kernel $MAJOR.$MINOR), or start it with FORCE=1"
    say "this script is for $KERNELS, this is $RELEASE; going on because of FORCE=1"
  fi
}
`;

const tracing = sh`
# The system's own tracer stays as it is when the recording has an instance of its own.
open_instance() {
  instance=$T/instances/$INSTANCE
  [ ! -d "$instance" ] || die "$instance exists: another recording is running, or one was killed (then start this script with --cleanup)"
  if [ -d "$T/instances" ]; then
    # A signal must not come between making it and knowing that it is ours.
    trap '' INT TERM HUP
    if mkdir "$instance" 2> /dev/null; then
      OWN=1
      I=$instance
    fi
    trap 'exit 130' INT TERM HUP
    [ "$OWN" = 0 ] || return 0
  fi
  line_of "$T/current_tracer"
  tracer=$LINE
  line_of "$T/set_event"
  if [ "$tracer" != nop ] || [ -n "$LINE" ]; then
    [ "$FORCE" = 1 ] || die 'the tracer is in use and has no instances: its recording would be lost (FORCE=1 goes on nevertheless)'
  fi
  line_of "$T/trace_clock"
  clock=\${LINE#*\[}
  SAVED="trace_clock=\${clock%%\]*}"
  for option in current_tracer buffer_size_kb options/overwrite options/context-info options/irq-info options/latency-format tracing_on; do
    line_of "$T/$option"
    # "7 (expanded: 1408)": the size it takes as soon as it is used.
    case $LINE in
      *expanded:*) LINE=\${LINE##*expanded: } && LINE=\${LINE%)} ;;
    esac
    case $LINE in
      '' | X) ;;
      *) SAVED="$SAVED $option=$LINE" ;;
    esac
  done
  I=$T
  note 'no instance could be made: the recording uses the shared tracer'
}

# CLOCK_MONOTONIC is the same on all CPUs and can be compared with everything else, but where reading the hardware
# clock is slow every event would pay for it.
choose_clock() {
  line_of "$SYS/devices/system/clocksource/clocksource0/current_clocksource"
  case $LINE in
    hpet | acpi_pm | jiffies | refined-jiffies | pit) clocks='global local' ;;
    *) clocks='mono global local' ;;
  esac
  line_of "$I/trace_clock"
  offered=" $(printf '%s' "$LINE" | tr -d '[]') "
  CLOCK=local
  for clock in $clocks; do
    case $offered in
      *" $clock "*)
        if put "$I/trace_clock" "$clock"; then
          CLOCK=$clock
          break
        fi
        ;;
    esac
  done
}

# At most an eighth of the free memory, all CPUs together.
size_buffer() {
  cpus=0
  for cpu in "$I"/per_cpu/cpu*; do
    cpus=$((cpus + 1))
  done
  free=
  while read -r key value _; do
    if [ "$key" = MemAvailable: ]; then
      free=$value
    fi
  done < "$PROC/meminfo"
  size=$BUFFER_KB
  if [ -n "$free" ] && [ "$size" -gt $((free / 8 / cpus)) ]; then
    size=$((free / 8 / cpus))
  fi
  while ! put "$I/buffer_size_kb" "$size"; do
    size=$((size / 2))
    [ "$size" -ge 64 ] || die 'the kernel has no memory for a trace buffer'
  done
  say "trace buffer: $size KiB on each of $cpus CPUs"
}

option() {
  if [ -e "$I/options/$1" ]; then
    put "$I/options/$1" "$2"
  fi
}

prepare() {
  put "$I/tracing_on" 0
  put "$I/current_tracer" nop
  choose_clock
  size_buffer
  option context-info 1
  option irq-info 1
  option latency-format 0
  # The newest events are kept: what is looked for comes last.
  option overwrite 1
  if [ "$OWN" = 0 ]; then
    : > "$I/trace"
  fi
}
`;

const events = sh`
switch_on() {
  file=$I/events/$1/enable
  [ -e "$file" ] || return 1
  line_of "$file"
  case $LINE in
    1*) ;;
    *)
      ENABLED="$1 $ENABLED"
      put "$file" 1 || return 1
      ;;
  esac
}

switch_events_on() {
  switch_on swiotlb/swiotlb_bounced || note 'this kernel has no swiotlb_bounced event'
  switch_on printk/console || note 'this kernel has no console event: failures are joined by time only'
  # Since 6.12, some of them renamed in 6.18: all that there are.
  for event in "$I"/events/dma/*/; do
    event=\${event%/}
    switch_on "dma/\${event##*/}" || :
  done
  case $ENABLED in
    *swiotlb* | *dma*) ;;
    *) die 'this kernel has neither swiotlb nor dma events: nothing could be recorded' ;;
  esac
}
`;

function probing(probes: CaptureProbes): string {
  const { styles, mapArguments, mapArgumentsBefore610, poolNewArguments } = probes;
  const hasFprobes = styles.includes('fprobe');
  return [
    defining,
    defineMap(styles),
    hasFprobes ? defineUnmapWithFprobes : defineUnmap,
    poolNewArguments === null ? '' : definePools(probes.poolFreeArguments !== null),
    sh`
define_probes() {
  case $(uname -m) in
    x86_64 | aarch64 | ppc64* | s390x | riscv64 | loongarch64) ;;
    *)
      note 'no probes: their arguments are known for 64-bit machines only'
      return
      ;;
  esac
`,
    hasFprobes ? findFprobes : '',
    mapArguments !== null && mapArgumentsBefore610 !== null ? chooseArguments : '',
    mapArguments === null ? '  MAP_ARGS=$MAP_ARGS_BEFORE_6_10\n' : '',
    sh`
  define_map || note 'the results of mappings are not probed: swiotlb_tbl_map_single is missing, inlined or not to be probed'
  define_unmap || note 'the ends of mappings are not probed: the unmap function is missing, inlined or not to be probed'
`,
    poolNewArguments === null ? '' : '  define_pools\n',
    sh`
  for event in $DEFINED; do
    put "$I/events/$GROUP/$event/enable" 1 || note "the probe $event cannot be switched on"
  done
  say "probes: \${DEFINED:-none} ($STYLE)"
}
`,
  ].join('');
}

const defining = sh`
# Name of a function in SYMBOL: itself, or (with "any") a copy that the compiler specialised, such as NAME.isra.0.
symbol() {
  suffix=
  if [ "\${2:-}" = any ]; then
    suffix='(\.(isra|constprop|part)\.[0-9]+)*'
  fi
  SYMBOL=$(sed -nE "s/^[0-9a-f]+ [tT] ($1$suffix)\$/\1/p" "$WORK/kallsyms_swiotlb.txt" | head -n 1)
  [ -n "$SYMBOL" ]
}

# Defines a probe: FILE EVENT DEFINITION. The kernel refuses what it cannot do.
define() {
  [ -e "$T/$1" ] || return 1
  DEFINED="$2 $DEFINED"
  if put "$T/$1" "$3"; then
    [ -d "$I/events/$GROUP/$2" ]
  else
    DEFINED=\${DEFINED#"$2 "}
    return 1
  fi
}

`;

const mapStyles: Readonly<Record<MapProbeStyle, string>> = {
  fprobe: sh`
      fprobe)
        if [ "$FPROBES" = 1 ] &&
          define dynamic_events map_ret "f:$GROUP/map_ret swiotlb_tbl_map_single%return $MAP_ARGS tlb=\$retval:x64"; then
          return 0
        fi
        ;;
`,
  'fprobe-pair': sh`
      fprobe-pair)
        if [ "$FPROBES" = 1 ] &&
          define dynamic_events map "f:$GROUP/map swiotlb_tbl_map_single $MAP_ARGS" &&
          define dynamic_events map_ret "f:$GROUP/map_ret swiotlb_tbl_map_single%return tlb=\$retval:x64"; then
          return 0
        fi
        ;;
`,
  kprobe: sh`
      kprobe)
        if define kprobe_events map_ret "r:$GROUP/map_ret swiotlb_tbl_map_single $MAP_ARGS tlb=\$retval:x64"; then
          return 0
        fi
        ;;
`,
  'kprobe-pair': sh`
      kprobe-pair)
        if define kprobe_events map "p:$GROUP/map swiotlb_tbl_map_single $MAP_ARGS" &&
          define kprobe_events map_ret "r:$GROUP/map_ret swiotlb_tbl_map_single tlb=\$retval:x64"; then
          return 0
        fi
        ;;
`,
};

function defineMap(styles: readonly MapProbeStyle[]): string {
  return sh`
# fprobes come first, they miss nothing. A return probe that cannot read the arguments (before 6.9) becomes a pair.
define_map() {
  STYLE=none
  symbol swiotlb_tbl_map_single || return 1
  for STYLE in $MAP_STYLES; do
    case $STYLE in
${styles.map((style) => mapStyles[style]).join('')}    esac
    # Of a pair that the kernel took only half of.
    remove_probes
  done
  STYLE=none
  return 1
}

`;
}

const defineUnmap = sh`
define_unmap() {
  for name in $UNMAP_SYMBOLS; do
    if symbol "$name" && define kprobe_events unmap "p:$GROUP/unmap $name $UNMAP_ARGS"; then
      return 0
    fi
  done
  return 1
}

`;

const defineUnmapWithFprobes = sh`
define_unmap() {
  for name in $UNMAP_SYMBOLS; do
    symbol "$name" || continue
    if [ "$FPROBES" = 1 ] && define dynamic_events unmap "f:$GROUP/unmap $name $UNMAP_ARGS"; then
      return 0
    fi
    if define kprobe_events unmap "p:$GROUP/unmap $name $UNMAP_ARGS"; then
      return 0
    fi
  done
  return 1
}

`;

const findFprobes = sh`
  FPROBES=0
  if grep -qsE '^[[:space:]]*f\[' "$T/README"; then
    FPROBES=1
  fi
`;

const chooseArguments = sh`
  # 6.10 dropped the argument before the alignment mask.
  if [ "$MINOR" -lt 10 ]; then
    MAP_ARGS=$MAP_ARGS_BEFORE_6_10
  fi
`;

function definePools(hasFree: boolean): string {
  const free = sh`
  # Its arguments are offsets that were checked on 6.12 (x86_64) only.
  if symbol swiotlb_dyn_free; then
    define kprobe_events pool_free "p:$GROUP/pool_free $SYMBOL $POOL_FREE_ARGS" || note 'released pools are not probed'
  fi
`;
  return sh`
# Only kernels with CONFIG_SWIOTLB_DYNAMIC have these functions.
define_pools() {
  symbol swiotlb_dyn_alloc any || return 0
  define kprobe_events pool_worker "p:$GROUP/pool_worker $SYMBOL" || :
  define kprobe_events pool_added "r:$GROUP/pool_added $SYMBOL" || note 'the growth worker is not probed'
  if symbol swiotlb_alloc_pool any; then
    define kprobe_events pool_new "r:$GROUP/pool_new $SYMBOL $POOL_NEW_ARGS" || note 'new pools are not probed'
  else
    note 'new pools are not probed: swiotlb_alloc_pool is inlined'
  fi
${hasFree ? free : ''}}

`;
}

const sampling = sh`
# The time on the trace's own clock in TRACE_NOW, and since boot in BOOT_NOW (10 ms steps), without starting a process.
# A shell reads byte by byte: the time has to come from a file whose text the kernel makes once, when it is opened.
# per_cpu/cpu*/stats is made anew for every byte, and gives the digits of several moments.
read_clocks() {
  line_of "$PROC/uptime"
  BOOT_NOW=\${LINE%% *}
  TRACE_NOW=
  if [ -r "$PROC/timer_list" ]; then
    while read -r first second value _; do
      if [ "$first $second" = 'now at' ]; then
        seconds=\${value%?????????}
        TRACE_NOW=$seconds.\${value#"$seconds"}
        break
      fi
    done < "$PROC/timer_list"
  fi
}

# SWIOTLB Lens puts the counters on the trace's clock with these lines.
mark() {
  read_clocks
  MARK="swiotlb-lens $1 boot=$BOOT_NOW"
  if [ "$CLOCK" = mono ]; then
    MARK="swiotlb-lens $1 mono=$TRACE_NOW boot=$BOOT_NOW"
  fi
  printf '%s\n' "$MARK" >> "$I/trace_marker"
}

# The same line in the kernel log puts the log on the trace's clock, too.
mark_log() {
  if [ -w "$KMSG" ]; then
    printf '<6>%s\n' "$MARK" 2> /dev/null > "$KMSG" || :
  fi
}

counters() {
  line_of "$1/io_tlb_nslabs"
  nslabs=$LINE
  line_of "$1/io_tlb_used"
  used=$LINE
  line_of "$1/io_tlb_used_hiwater"
  hiwater=$LINE
  line_of "$1/io_tlb_transient_nslabs"
  if [ -n "$nslabs$used" ]; then
    printf '%s%s,%s,%s,%s,%s,%s\n' "$STAMP" "$BOOT_NOW" "$2" "$nslabs" "$used" "$hiwater" "$LINE"
  fi
}

sample() {
  read_clocks
  STAMP=
  if [ "$CLOCK" = mono ]; then
    STAMP=$TRACE_NOW,
  fi
  counters "$D/swiotlb" ''
  for pool in "$D"/swiotlb/*/; do
    if [ -d "$pool" ]; then
      pool=\${pool%/}
      counters "$pool" "\${pool##*/}"
    fi
  done
}

record() {
  read_clocks
  if [ -z "$TRACE_NOW" ] && [ "$CLOCK" = mono ]; then
    CLOCK=unknown
  fi
  header=boot_s,pool,nslabs,used,used_hiwater,transient_nslabs
  if [ "$CLOCK" = mono ]; then
    header=mono_s,$header
  fi
  printf '%s\n' "$header" > "$WORK/debugfs.csv"
  # Not every sleep takes fractions.
  sleep 0.01 2> /dev/null || SAMPLE_SECONDS=1
  put "$I/tracing_on" 1
  mark start
  mark_log
  now=\${BOOT_NOW%%.*}
  end=$((now + DURATION))
  last=
  while [ "$STOP" -eq 0 ] && [ "$now" -lt "$end" ]; do
    sample >> "$WORK/debugfs.csv"
    now=\${BOOT_NOW%%.*}
    if [ "$now" != "$last" ]; then
      last=$now
      mark tick
      {
        printf '# mono=%s boot=%s\n' "$TRACE_NOW" "$BOOT_NOW"
        cat "$PROC/buddyinfo"
      } >> "$WORK/buddyinfo.txt" 2> /dev/null
    fi
    sleep "$SAMPLE_SECONDS" || :
  done
  mark stop
  mark_log
  put "$I/tracing_on" 0
  # What is logged from now on belongs to no recorded event.
  dmesg > "$WORK/after-dmesg.txt" 2> /dev/null || :
  cat "$I/set_event" > "$WORK/enabled_events.txt"
  # At once: the kernel goes on counting the hits of a probe while nothing is recorded.
  for event in $DEFINED; do
    put "$I/events/$GROUP/$event/enable" 0
  done
}
`;

const ending = sh`
# Everything back as it was. Runs at every exit, and once.
restore() {
  trap - EXIT
  trap '' INT TERM HUP
  if [ -n "$I" ] && [ -d "$I" ]; then
    put "$I/tracing_on" 0
    for event in $DEFINED; do
      put "$I/events/$GROUP/$event/enable" 0
    done
    if [ "$OWN" = 0 ]; then
      for event in $ENABLED; do
        put "$I/events/$event/enable" 0
      done
    fi
  fi
  if [ "$OWN" = 1 ]; then
    rmdir "$I" 2> /dev/null || { sleep 1; rmdir "$I"; } || say "$I could not be removed: start this script with --cleanup"
    OWN=0
  elif [ -n "$SAVED" ]; then
    : > "$I/trace"
    for pair in $SAVED; do
      put "$I/\${pair%%=*}" "\${pair#*=}" || say "\${pair%%=*} could not be set back to \${pair#*=}"
    done
    SAVED=
  fi
  remove_probes
  for place in $MOUNTED; do
    umount "$place" 2> /dev/null || :
  done
  MOUNTED=
}

remove_probes() {
  list=$T/dynamic_events
  [ -e "$list" ] || list=$T/kprobe_events
  for event in $DEFINED; do
    put "$list" "-:$GROUP/$event" || say "the probe $event could not be removed: start this script with --cleanup"
  done
  DEFINED=
}

# On the way out before there is a bundle.
abandon() {
  restore
  if [ -n "$WORK" ]; then
    rm -rf "$WORK"
  fi
}

# What a recording left behind that could not end by itself (kill -9, a crash of the shell).
clean_up() {
  find_tracefs
  I=$T/instances/$INSTANCE
  if [ -d "$I" ]; then
    OWN=1
  else
    I=
  fi
  for list in "$T/dynamic_events" "$T/kprobe_events"; do
    if [ -e "$list" ]; then
      DEFINED=$(sed -n "s/^[a-z0-9]*:$GROUP\/\([a-z_]*\) .*/\1/p" "$list" | tr '\n' ' ')
      break
    fi
  done
  restore
  say 'removed the instance and the probes of earlier recordings'
}
`;

const saving = sh`
save_before() {
  dmesg > "$WORK/before-dmesg.txt" 2> /dev/null || note 'the kernel log could not be read'
  cat "$PROC/cmdline" > "$WORK/cmdline.txt"
  cat "$PROC/version" > "$WORK/version.txt"
  printf '%s\n' "$RELEASE" > "$WORK/uname.txt"
  # Names without addresses: they would tell where the kernel lies.
  grep -F swiotlb "$PROC/kallsyms" 2> /dev/null | sed 's/^[0-9a-fA-F]*/0000000000000000/' > "$WORK/kallsyms_swiotlb.txt"
  {
    if [ -r "$PROC/config.gz" ]; then
      gzip -dc "$PROC/config.gz"
    else
      cat "/boot/config-$RELEASE" 2> /dev/null || cat "/lib/modules/$RELEASE/config" 2> /dev/null
    fi
  } | grep -E '^(# )?CONFIG_(SWIOTLB|DMA|ZONE_DMA|HZ|PREEMPT|KPROBE|FPROBE|FTRACE|FUNCTION_TRACER|NR_CPUS|NUMA|IOMMU|INTEL_IOMMU|AMD_IOMMU|AMD_MEM_ENCRYPT|INTEL_TDX|ARM64_[0-9A-Z_]*K_PAGES|PAGE_SIZE|DEBUG_FS|DEBUG_INFO_BTF)' > "$WORK/config.txt"
  {
    printf 'name driver dma_mask_bits\n'
    for device in "$SYS"/bus/pci/devices/*; do
      if [ -e "$device/dma_mask_bits" ]; then
        line_of "$device/dma_mask_bits"
        driver=$(readlink "$device/driver" 2> /dev/null)
        printf '%s %s %s\n' "\${device##*/}" "\${driver##*/}" "$LINE"
      fi
    done
  } > "$WORK/devices.txt"
}

save_trace() {
  cat "$I/trace_clock" > "$WORK/trace_clock.txt"
  cat "$I/current_tracer" > "$WORK/tracer.txt"
  cat "$I/buffer_size_kb" > "$WORK/buffer_size_kb.txt"
  for name in kprobe_events dynamic_events kprobe_profile; do
    if [ -e "$T/$name" ]; then
      grep -E "$GROUP|^ *(map|map_ret|unmap|pool_[a-z]*) " "$T/$name" > "$WORK/$name.txt" 2> /dev/null || :
    fi
  done
  overrun=0
  for cpu in "$I"/per_cpu/cpu*; do
    printf '== %s\n' "\${cpu##*/}"
    cat "$cpu/stats"
    while read -r key value _; do
      if [ "$key" = overrun: ]; then
        overrun=$((overrun + value))
      fi
    done < "$cpu/stats"
  done > "$WORK/ring_stats.txt"
  cat "$I/trace" > "$WORK/trace.txt"
  if [ "$overrun" -gt 0 ]; then
    note "the oldest $overrun events were overwritten: record for a shorter time, or with a larger BUFFER_KB"
  fi
}

# The whole log: what stood in it before, as far as it was pushed out since, and what came.
save_log() {
  first=$(head -n 1 "$WORK/after-dmesg.txt")
  {
    if [ -n "$first" ] && grep -qxF -e "$first" "$WORK/before-dmesg.txt"; then
      first=$first awk '$0 == ENVIRON["first"] { exit } { print }' "$WORK/before-dmesg.txt"
    else
      cat "$WORK/before-dmesg.txt"
    fi
    cat "$WORK/after-dmesg.txt"
  } > "$WORK/dmesg.txt"
}

pack() {
  # Of what this kernel does not have.
  for file in "$WORK"/*; do
    [ -s "$file" ] || rm "$file"
  done
  bundle=$OUTPUT/$NAME.tar.gz
  if tar -C "$OUTPUT" -czf "$bundle" "$NAME"; then
    rm -rf "$WORK"
    made=$bundle
  else
    rm -f "$bundle"
    made=$WORK
    say 'tar or gzip failed: the capture stays a folder'
  fi
  WORK=
  if [ -n "\${SUDO_UID:-}" ]; then
    chown -R "$SUDO_UID:\${SUDO_GID:-$SUDO_UID}" "$made" 2> /dev/null || :
  fi
  say "done: $made"
  say 'it holds the kernel log, the command line, device names and physical addresses: look through it before you share it'
  printf '%s\n' "$made"
}
`;

function main(kernels: CaptureKernels): string {
  return sh`
while [ $# -gt 0 ]; do
  case $1 in
    --seconds)
      DURATION=\${2:-}
      case $DURATION in
        '' | *[!0-9]*) usage >&2 && exit 2 ;;
      esac
      shift
      ;;
    --output)
      OUTPUT=\${2:-}
      [ -n "$OUTPUT" ] || { usage >&2 && exit 2; }
      shift
      ;;
    --cleanup)
      clean_up
      exit 0
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done

[ -n "\${TRACEFS:-}" ] || [ "$(id -u)" = 0 ] || die 'run this script as root, for example with sudo'
check_kernel
trap abandon EXIT
trap 'exit 130' INT TERM HUP
find_tracefs
find_debugfs
NAME=swiotlb-capture-$(date +%Y%m%d-%H%M%S)
# Another recording may have begun in the same second.
[ ! -e "$OUTPUT/$NAME" ] || NAME=$NAME-$$
mkdir "$OUTPUT/$NAME" || die "no folder can be made in $OUTPUT"
WORK=$OUTPUT/$NAME
printf 'recorded by the SWIOTLB Lens capture script for %s\n' "$KERNELS" > "$WORK/notes.txt"
[ -d "$D/swiotlb" ] || note 'the counters in debugfs are missing (no swiotlb pool, or no debugfs): fill levels are not sampled'
save_before
open_instance
prepare
${kernels.probes === null ? '' : 'define_probes\n'}switch_events_on
trap 'STOP=1' INT TERM HUP
say "recording $DURATION s on Linux $RELEASE (trace clock $CLOCK). Let the load run now; Ctrl-C ends the recording."
say 'every DMA mapping now takes longer by the tracing, and probes may miss some under load (the bundle says how many)'
record
trap 'say "stopped before the bundle was written"; exit 130' INT TERM HUP
save_trace
restore
trap abandon EXIT
trap 'say "stopped before the bundle was written"; exit 130' INT TERM HUP
save_log
pack
trap - EXIT
`;
}
