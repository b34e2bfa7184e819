/** Largest padding the kernel adds to a size in "buffer is full": min_align_mask plus alloc_align_mask. */
const MAX_PADDING = 0x20000;

/** "buffer is full (sz: N)" prints the padded size since 6.9, the plain one before. */
export function fitsPaddedSize(sizeBytes: number, paddedBytes: number): boolean {
  return paddedBytes < 0 || (paddedBytes >= sizeBytes && paddedBytes <= sizeBytes + MAX_PADDING);
}
