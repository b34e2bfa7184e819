/**
 * Building elements. Strings become text nodes, always: nothing of a trace is ever parsed as HTML.
 */
type Child = Node | string | null | undefined | false;

interface Properties {
  readonly [attribute: string]: string | number | boolean | ((event: Event) => void) | undefined;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties | null,
  ...children: readonly (Child | readonly Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (typeof value === 'function') {
      element.addEventListener(name, value);
    } else if (typeof value === 'boolean') {
      element.toggleAttribute(name, value);
    } else if (value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  append(element, children);
  return element;
}

/** Replaces what is inside. */
export function fill(element: Element, ...children: readonly (Child | readonly Child[])[]): void {
  element.replaceChildren();
  append(element, children);
}

function append(element: Element, children: readonly (Child | readonly Child[])[]): void {
  for (const child of children.flat() as Child[]) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child);
    }
  }
}

export function byId<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) {
    throw new Error(`the panel has no element '${id}'`);
  }
  return element as T;
}

/**
 * Gives the focus back to an element that was built anew. Only where the panel has the focus: the reader may have gone
 * on to an editor meanwhile.
 */
export function refocus(element: HTMLElement | null): void {
  if (document.hasFocus()) {
    element?.focus({ preventScroll: true });
  }
}

const svgNamespace = 'http://www.w3.org/2000/svg';

export function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: Node[]
): SVGElement {
  const element = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}
