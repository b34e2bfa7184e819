/** A file of a folder that is not read. */
export interface SkippedFile {
  readonly name: string;
  readonly why: string;
}

/** What a file of a capture tells. */
export type MemberRole = 'probes' | 'trace' | 'log' | 'samples' | 'kernel' | 'statistics';

interface RolePattern {
  readonly role: MemberRole;
  /** A name that the capture script or a person writes for exactly this: enough to join it to a file beside it. */
  readonly exact: RegExp;
  /** Names that mean this inside a folder or an archive that was opened as one capture. */
  readonly loose: readonly RegExp[];
}

/**
 * The files of a capture by name, in the order in which they are read: definitions of probes and names of devices first,
 * because they say what the trace means.
 */
const roles: readonly RolePattern[] = [
  {
    role: 'probes',
    exact: /^(?:(?:kprobe|dynamic)_events\.txt|session\.json)$/,
    loose: [/^(?:kprobe|dynamic)_events(?:\.txt)?$/, /^session\.json$/],
  },
  {
    role: 'trace',
    exact: /^(?:trace(?:_pipe)?(?:\.txt)?|events\.ndjson)$/,
    loose: [
      /^trace(?:[_.-]?\w+)?\.txt$/,
      /^trace$/,
      /^trace_pipe[\w.-]*$/,
      /^.*\.trace$/,
      /^events(?:[_.-]?\w+)?\.ndjson$/,
    ],
  },
  {
    role: 'log',
    exact: /^(?:dmesg|console)\.txt$/,
    loose: [
      /^dmesg[\w.-]*$/,
      /^console(?:\.txt|\.log)?$/,
      /^(?:kern|kernel|journal|messages|syslog)[\w.-]*$/,
      /^[\w.-]+\.log$/,
    ],
  },
  {
    role: 'samples',
    exact: /^(?:debugfs\.csv|buddyinfo\.txt)$/,
    loose: [/^debugfs[\w.-]*\.(?:csv|txt)$/, /^buddyinfo(?:\.txt)?$/],
  },
  {
    role: 'kernel',
    exact: /^(?:cmdline|config|version|uname|kallsyms(?:_swiotlb)?|devices|trace_clock|iomem)\.txt$/,
    loose: [
      /^cmdline(?:\.txt)?$/,
      /^config(?:[\w.-]*)?$/,
      /^version\.txt$/,
      /^uname\.txt$/,
      /^kallsyms[\w.-]*$/,
      /^devices\.txt$/,
      /^trace_clock(?:\.txt)?$/,
      /^iomem(?:\.txt)?$/,
    ],
  },
  {
    role: 'statistics',
    exact: /^(?:kprobe_profile|ring_stats)\.txt$/,
    loose: [/^kprobe_profile(?:\.txt)?$/, /^(?:ring|per_cpu)_stats(?:\.txt)?$/],
  },
];

/** Names that look like members but are settings, ground truth or second copies of the same events. */
const leftOut: readonly (readonly [RegExp, string])[] = [
  [/^trace_cmd_report/, 'a report of the binary trace'],
  [/^trace_options|^tracer\.txt$/, 'settings of the tracer'],
  [/^debugfs_snap/, 'counters without a time'],
  [/^ops\.csv$/, 'ground truth of a test driver'],
  [/^pool_state/, 'ground truth of a test driver'],
  [/^(?:before|after)-dmesg/, 'a part of dmesg.txt'],
  [/\.dat$/, 'the binary form of a trace that is here as text'],
];

/** A binary trace is read only where there is no text. */
const binaryTrace = /^trace[\w.-]*\.dat$/;

const packed = /\.(?:gz|zst|xz)$/;

/** The name without the suffix of a compression. */
export function plainName(name: string): string {
  return name.replace(packed, '');
}

/** The role of a file whose name is meant for nothing else; null for all other names. */
export function exactRole(name: string): MemberRole | null {
  return roles.find(({ exact }) => exact.test(plainName(name)))?.role ?? null;
}

/**
 * Which files of a folder are read together. Of a file and its packed copy only the plain one is;
 * trace.txt that trace_pipe emptied is read too, its header tells the CPUs.
 */
export function listMembers(names: readonly string[]): {
  readonly members: readonly string[];
  readonly skipped: readonly SkippedFile[];
} {
  const all = new Set(names);
  const ranked: { readonly name: string; readonly role: MemberRole; readonly rank: number }[] = [];
  const skipped: SkippedFile[] = [];
  for (const name of [...names].sort()) {
    const plain = plainName(name);
    const reason = leftOut.find(([pattern]) => pattern.test(plain));
    const found = looseRole(plain);
    if (reason !== undefined) {
      skipped.push({ name, why: reason[1] });
    } else if (found === null) {
      skipped.push({ name, why: 'no known part of a capture' });
    } else if (name !== plain && all.has(plain)) {
      skipped.push({ name, why: `the packed copy of ${plain}` });
    } else {
      ranked.push({ name, ...found });
    }
  }
  if (!ranked.some(({ role }) => role === 'trace')) {
    const binary = skipped.findIndex(({ name }) => binaryTrace.test(plainName(name)));
    if (binary >= 0) {
      const rank = looseRole('trace')?.rank ?? 0;
      ranked.push({ name: skipped[binary]?.name ?? '', role: 'trace', rank });
      skipped.splice(binary, 1);
    }
  }
  ranked.sort((a, b) => a.rank - b.rank);
  return { members: ranked.map(({ name }) => name), skipped };
}

/** Role of a plain name, and its place in the order of reading. A name that is meant for one role is no other. */
function looseRole(plain: string): { readonly role: MemberRole; readonly rank: number } | null {
  const exact = exactRole(plain);
  let rank = 0;
  for (const { role, loose } of roles) {
    const at = loose.findIndex((pattern) => pattern.test(plain));
    if (at >= 0 && (exact === null || exact === role)) {
      return { role, rank: rank + at };
    }
    rank += loose.length;
  }
  return null;
}
