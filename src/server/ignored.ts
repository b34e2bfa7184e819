import type { DiagnoseReport, EpisodeReport } from '../model/reports';

/** Episodes that the user does not want to hear of, by document. */
export class IgnoredEpisodes {
  private readonly byDocument = new Map<string, ReadonlySet<string>>();

  set(uri: string, episodes: readonly string[]): void {
    this.byDocument.set(uri, new Set(episodes));
  }

  /** Indices of the report's episodes that are ignored in any of its documents. */
  of(uris: readonly string[], report: DiagnoseReport): ReadonlySet<number> {
    const sets = uris.flatMap((uri) => this.byDocument.get(uri) ?? []).filter(({ size }) => 0 < size);
    if (sets.length === 0) {
      return new Set();
    }
    const isIgnored = (episode: EpisodeReport) => sets.some((keys) => keys.has(episodeKey(episode)));
    return new Set(report.episodes.flatMap((episode, index) => (isIgnored(episode) ? [index] : [])));
  }
}

/** The same episode of the same text has the same key, also in the next session. */
export function episodeKey({ file, cause, device, firstLine }: EpisodeReport): string {
  return [file.slice(file.lastIndexOf('/') + 1), cause, device ?? '', firstLine].join(' ');
}
