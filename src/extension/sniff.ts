/** How much of a document is looked at. */
export const sniffLength = 8192;

/** Words that only kernel DMA traces and logs about bounce buffers hold. */
const fieldWords =
  /\bswiotlb|SW-IOMMU space|software IO TLB|\bdma_(?:un)?map_(?:page|phys|resource|sg)\b|DMA bounce buffers|DMA pool exhausted for/;

/** Layouts that say "this is ftrace" or "this is a kernel log" without naming the field. */
const traceWords = /^# tracer: |^# entries-in-buffer\/entries-written: |^\S+ latency trace v\d/m;
const traceLine =
  /^\s*\S.{0,31}-\d+\s+(?:\(\s*[\d-]+\)\s+)?\[\d{3}\]\s+(?:[.A-Za-z0-9#!]{4,6}\s+)?\d+\.\d{6,9}: \w+:/gm;
const kernelLine = /^(?:<\d+>|.* kernel: )?\[\s*\d{1,7}\.\d{6}\](?:\[\s*[TC]\d+\])? ?\S/gm;

/** Names that say what a file is. */
const traceNames = /^(?:trace|trace_pipe|dmesg|kern\.log)(?:[._-][\w.-]*)?$|\.(?:ftrace|dmesg)$/;

/** Whether a file is a trace or log of this field by its name alone. */
export function isTraceName(name: string): boolean {
  return traceNames.test(name);
}

/** Whether the first bytes of a document look like something this extension reads. Ordinary logs must not. */
export function looksLikeTrace(head: string): boolean {
  const text = head.slice(0, sniffLength);
  return fieldWords.test(text) || traceWords.test(text) || 2 <= count(text, traceLine) || 5 <= count(text, kernelLine);
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
