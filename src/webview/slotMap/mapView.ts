import { SEGMENT_SLOTS } from '../../model/units';
import type { SlotDetailView } from '../../protocol/slots';
import type { LineRef } from '../../protocol/views';
import { fill, h } from '../dom';
import type { TimeFormat } from '../format';
import type { Classes } from './classes';
import { cardLines, runTitle } from './describe';
import { isLargest, layoutMap, type MapLayout, placeOf, slotAt } from './layout';
import { type MapData, neighbourRun, runAt, type SlotRun } from './mapData';
import type { MapTheme } from './mapTheme';
import { failureShape, type MapPicture, mapPicture, paintMap } from './paint';

export interface MapViewEvents {
  readonly detail: (move: number) => Promise<SlotDetailView>;
  readonly reveal: (place: LineRef) => void;
  /** Keys that are not about the map's own selection; true: done. */
  readonly key: (event: KeyboardEvent) => boolean;
  /** Read aloud. */
  readonly say: (text: string) => void;
  readonly focus: () => void;
}

/** As in panel.css. */
const besideWidth = 900;
const frameMeasure = 'slot map frame';

/** One map: a canvas that scrolls over the pools, a selection, a card. */
export class MapView {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  private readonly frame: HTMLElement;
  private readonly sizer: HTMLElement;
  private readonly card: HTMLElement;
  private readonly title: HTMLElement;
  private readonly events: MapViewEvents;
  private readonly watcher: ResizeObserver;
  private theme: MapTheme;
  private data: MapData | null = null;
  /** What the other map shows. */
  private beside: MapData | null = null;
  private classes: Classes | null = null;
  private time: TimeFormat | null = null;
  private layout: MapLayout | null = null;
  private picture: MapPicture | null = null;
  private selected: SlotRun | null = null;
  private hovered: SlotRun | null = null;
  private zoomFactor = 1;
  private frameRequest = 0;
  private readonly details = new Map<number, SlotDetailView>();

  constructor(label: string, theme: MapTheme, events: MapViewEvents) {
    this.theme = theme;
    this.events = events;
    this.canvas = h('canvas', {
      class: 'map-canvas',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'slot map',
      'aria-label': label,
      'aria-describedby': 'map-event',
    });
    this.sizer = h('div', { class: 'map-sizer' }, this.canvas);
    this.frame = h('div', { class: 'map-frame' }, this.sizer);
    this.card = h('div', { class: 'map-card', hidden: true });
    this.title = h('h3', { class: 'map-title' });
    this.element = h('div', { class: 'map' }, this.title, this.frame, this.card);
    this.watcher = new ResizeObserver(() => this.relayout());
    this.watcher.observe(this.frame);
    this.listen();
  }

  destroy(): void {
    this.watcher.disconnect();
    cancelAnimationFrame(this.frameRequest);
  }

  show(title: string, data: MapData, classes: Classes, time: TimeFormat, beside: MapData | null): void {
    const isOtherRun = this.data !== null && this.data.view.run !== data.view.run;
    if (isOtherRun) {
      this.details.clear();
    }
    this.title.textContent = title;
    this.data = data;
    this.beside = beside;
    this.classes = classes;
    this.time = time;
    this.selected = this.selected === null ? null : runAt(data, this.selected.pool, this.selected.firstSlot);
    this.hovered = null;
    this.card.hidden = true;
    this.relayout();
  }

  setTheme(theme: MapTheme): void {
    this.theme = theme;
    this.relayout();
  }

  /** 2 and 0.5 zoom, 0 shows everything. */
  zoom(factor: number): void {
    if (1 < factor && this.layout !== null && isLargest(this.layout)) {
      return;
    }
    const middle = this.layout === null ? 0 : (this.frame.scrollTop + this.frame.clientHeight / 2) / this.layout.height;
    this.zoomFactor = factor === 0 ? 1 : Math.max(1, this.zoomFactor * factor);
    this.relayout();
    this.frame.scrollTop = middle * (this.layout?.height ?? 0) - this.frame.clientHeight / 2;
  }

  /** Brings the failed request into the visible part. */
  showFailure(): void {
    const { data, layout } = this;
    const shape = data === null || layout === null ? null : failureShape(data, layout);
    if (shape !== null) {
      this.scrollTo(shape.bar.y, 60);
    }
  }

  /** The whole map at its present width, for files; at most so many pixels high. */
  wholePicture(): { readonly picture: MapPicture; readonly width: number; readonly height: number } | null {
    const picture = this.currentPicture();
    return picture === null ? null : { picture, width: this.frame.clientWidth, height: picture.layout.height };
  }

  private relayout(): void {
    const { data, classes } = this;
    if (data === null || classes === null || this.frame.clientWidth === 0) {
      return;
    }
    // Under each other, two maps share the height of one.
    const isStacked = this.element.parentElement?.matches('.two') === true && window.innerWidth < besideWidth;
    const most = Math.max(160, Math.min(460, window.innerHeight * 0.6) * (isStacked ? 0.6 : 1));
    const layout = layoutMap(data.view.pools, {
      width: this.frame.clientWidth,
      height: most,
      zoom: this.zoomFactor,
      ...(this.beside === null ? {} : { beside: this.beside.view.pools }),
    });
    this.layout = layout;
    const height = Math.min(layout.height + 4, most);
    this.frame.style.height = `${height}px`;
    this.sizer.style.height = `${layout.height}px`;
    this.picture = null;
    this.drawSoon();
  }

  private drawSoon(): void {
    cancelAnimationFrame(this.frameRequest);
    this.frameRequest = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    const begin = performance.now();
    const picture = this.currentPicture();
    if (picture === null) {
      return;
    }
    const { clientWidth: width, clientHeight: height, scrollTop } = this.frame;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    paintMap(
      this.canvas,
      { ...picture, selected: this.selected ?? this.hovered },
      { scrollTop, width, height, ratio: window.devicePixelRatio },
    );
    // For the developer tools and the tests: how long a frame takes.
    performance.clearMeasures(frameMeasure);
    performance.measure(frameMeasure, { start: begin, end: performance.now() });
  }

  /** Which slot has which class changes with the moment and the zoom, not with the scroll position. */
  private currentPicture(): MapPicture | null {
    const { data, classes, layout, theme } = this;
    if (this.picture === null && data !== null && classes !== null && layout !== null) {
      this.picture = mapPicture(data, classes, layout, theme, null);
    }
    return this.picture;
  }

  private listen(): void {
    const { canvas } = this;
    this.frame.addEventListener('scroll', () => this.drawSoon());
    canvas.addEventListener('pointermove', (event) => this.hover(event.offsetX, event.offsetY));
    canvas.addEventListener('pointerleave', () => this.hover(-1, -1));
    canvas.addEventListener('click', (event) => {
      const run = this.runUnder(event.offsetX, event.offsetY);
      if (run !== null && run.mapping !== null) {
        void this.follow(run);
      }
    });
    canvas.addEventListener('focus', () => this.events.focus());
    canvas.addEventListener('blur', () => this.select(null));
    canvas.addEventListener(
      'wheel',
      (event) => {
        if (event.ctrlKey || event.metaKey) {
          event.preventDefault();
          this.zoom(event.deltaY < 0 ? 2 : 0.5);
        }
      },
      { passive: false },
    );
    canvas.addEventListener('keydown', (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && (this.key(event.key) || this.events.key(event))) {
        event.preventDefault();
      }
    });
  }

  private key(key: string): boolean {
    const { data, selected } = this;
    if (data === null || data.view.pools.length === 0) {
      return false;
    }
    const first = runAt(data, 0, 0);
    const from = selected ?? first;
    const byRows = (rows: number) => {
      const slot = from!.firstSlot + rows * SEGMENT_SLOTS;
      const isInside = 0 <= slot && slot < data.view.pools[from!.pool]!.slots;
      const other = data.view.pools[from!.pool + Math.sign(rows)];
      return isInside
        ? runAt(data, from!.pool, slot)
        : other === undefined
          ? null
          : runAt(data, from!.pool + Math.sign(rows), 0 < rows ? 0 : other.slots - 1);
    };
    const moves: Readonly<Record<string, () => SlotRun | null>> = {
      ArrowRight: () => (selected === null ? first : neighbourRun(data, selected, 1)),
      ArrowLeft: () => (selected === null ? first : neighbourRun(data, selected, -1)),
      ArrowDown: () => (selected === null ? first : byRows(1)),
      ArrowUp: () => (selected === null ? first : byRows(-1)),
      Home: () => first,
    };
    const move = moves[key];
    if (move !== undefined && from !== null) {
      const next = move();
      if (next !== null) {
        this.select(next);
        this.events.say(runTitle(data, next));
      }
      return true;
    }
    if (key === 'Enter' && selected !== null && selected.mapping !== null) {
      void this.follow(selected);
      return true;
    }
    if (key === 'Escape' && selected !== null) {
      this.select(null);
      return true;
    }
    return false;
  }

  private select(run: SlotRun | null): void {
    this.selected = run;
    const place = this.placeOfRun(run);
    if (place !== null) {
      this.scrollTo(place.y, 30);
    }
    this.showCard(run, place === null ? 0 : place.x, place === null ? 0 : place.y - this.frame.scrollTop);
    this.drawSoon();
  }

  private placeOfRun(run: SlotRun | null): { readonly x: number; readonly y: number } | null {
    return run === null || this.layout === null || this.data === null
      ? null
      : placeOf(this.layout, run.pool, run.firstSlot);
  }

  private scrollTo(y: number, room: number): void {
    const { scrollTop, clientHeight } = this.frame;
    if (y - room < scrollTop || scrollTop + clientHeight < y + room) {
      this.frame.scrollTop = y - clientHeight / 2;
    }
  }

  private hover(x: number, y: number): void {
    const run = this.runUnder(x, y);
    const isSame = run?.pool === this.hovered?.pool && run?.firstSlot === this.hovered?.firstSlot;
    this.canvas.classList.toggle('on-mark', run !== null && run.mapping !== null);
    if (isSame && !this.card.hidden) {
      return;
    }
    this.hovered = run;
    this.showCard(run, x, y);
    this.drawSoon();
  }

  private runUnder(x: number, y: number): SlotRun | null {
    const { data, layout } = this;
    if (data === null || layout === null) {
      return null;
    }
    const at = slotAt(layout, data.view.pools, x, y + this.frame.scrollTop);
    return at === null ? null : runAt(data, at.pool, at.slot);
  }

  private showCard(run: SlotRun | null, x: number, y: number): void {
    const { data, time, card } = this;
    card.hidden = run === null;
    if (run === null || data === null || time === null) {
      return;
    }
    const move = run.mapping === null ? null : data.move[run.mapping]!;
    const write = () => {
      const detail = move === null ? null : (this.details.get(move) ?? null);
      fill(
        card,
        h('p', { class: 'map-card-title' }, runTitle(data, run)),
        run.mapping === null ? [] : cardLines(data, run.mapping, detail, time).map((line) => h('p', null, line)),
      );
      this.placeCard(x, y);
    };
    write();
    if (move !== null && !this.details.has(move)) {
      this.events.detail(move).then(
        (detail) => {
          this.details.set(move, detail);
          const shown = this.selected ?? this.hovered;
          if (this.data === data && shown !== null && shown.mapping === run.mapping) {
            write();
          }
        },
        // The card stays as short as it is.
        () => undefined,
      );
    }
  }

  /** Below and to the right of the place, inside the map's own width. */
  private placeCard(x: number, y: number): void {
    const { card, frame, element } = this;
    const left = Math.min(x + 14, Math.max(0, element.clientWidth - card.offsetWidth - 4));
    const below = frame.offsetTop + y + 22;
    card.style.left = `${Math.max(0, left)}px`;
    card.style.top = `${below}px`;
  }

  private async follow(run: SlotRun): Promise<void> {
    const move = run.mapping === null ? undefined : this.data?.move[run.mapping];
    if (move === undefined) {
      return;
    }
    const detail = this.details.get(move) ?? (await this.events.detail(move));
    const place = detail.map ?? detail.unmap;
    if (place !== null) {
      this.events.reveal(place);
    }
  }
}
