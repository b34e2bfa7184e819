import type { ChartTheme } from './charts/theme';
import { fill, h } from './dom';
import type { PanelSection, SectionHost, SectionState } from './sections/section';

/** Sections are brought up to date when they are this near to the visible part of the page. */
const nearby = '300px';

/** Keeps a section's element, and calls the section only when somebody can see it. */
export class SectionHolder {
  readonly element: HTMLElement;
  private readonly section: PanelSection;
  private readonly problem = h('p', { class: 'error', role: 'alert', hidden: true });
  private readonly watcher: IntersectionObserver;
  private isNear = false;
  private state: SectionState | null = null;
  /** What changed while the section was out of view. */
  private isStale = false;
  private staleTheme: ChartTheme | null = null;
  private staleLine: number | null = null;

  constructor(section: PanelSection, host: Omit<SectionHost, 'body' | 'activate'>) {
    this.section = section;
    const body = h('div', { class: 'section-body' });
    const titleId = `${section.id}-title`;
    this.element = h(
      'section',
      { id: section.id, 'aria-labelledby': titleId },
      h('h2', { id: titleId }, section.title),
      this.problem,
      body,
    );
    this.watcher = new IntersectionObserver(([entry]) => this.setNear(entry?.isIntersecting === true), {
      rootMargin: nearby,
    });
    section.mount({ ...host, body, activate: () => this.setNear(true) });
    this.watcher.observe(this.element);
  }

  update(state: SectionState): void {
    this.state = state;
    this.isStale = true;
    this.bringUpToDate();
  }

  onCursor(timeNs: number | null, source: 'charts' | 'editor'): void {
    if (this.state !== null) {
      this.state = { ...this.state, cursorNs: timeNs };
    }
    if (this.isNear) {
      this.guard(() => this.section.onCursor(timeNs, source));
    } else {
      this.isStale = true;
    }
  }

  onTheme(theme: ChartTheme): void {
    this.staleTheme = theme;
    this.bringUpToDate();
  }

  /** Shows the section even when it is not in view yet, at the moment of a line of the document. */
  showLine(line: number | null): void {
    this.setNear(true);
    if (line !== null) {
      this.guard(() => this.section.showLine?.(line));
    }
  }

  /** The editor's cursor moved to a line of the document. */
  editorAt(line: number | null): void {
    this.staleLine = line;
    this.bringUpToDate();
  }

  destroy(): void {
    this.watcher.disconnect();
    this.section.destroy();
  }

  private setNear(isNear: boolean): void {
    this.isNear = isNear;
    this.bringUpToDate();
  }

  private bringUpToDate(): void {
    const { state, staleTheme } = this;
    if (!this.isNear || state === null) {
      return;
    }
    if (staleTheme !== null) {
      this.staleTheme = null;
      this.guard(() => this.section.onTheme(staleTheme));
    }
    if (this.isStale) {
      this.isStale = false;
      this.guard(() => this.section.update(state));
    }
    const { staleLine } = this;
    if (staleLine !== null) {
      this.staleLine = null;
      this.guard(() => this.section.editorAt?.(staleLine));
    }
  }

  private guard(call: () => void | Promise<void>): void {
    const show = (error: unknown) => {
      this.problem.hidden = false;
      fill(this.problem, error instanceof Error ? error.message : String(error));
    };
    try {
      Promise.resolve(call()).then(() => {
        this.problem.hidden = true;
      }, show);
    } catch (error) {
      show(error);
    }
  }
}
