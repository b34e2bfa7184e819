import { byId, fill, h } from './dom';

/**
 * What the panel is doing, in its status line and on the body. With `cancel` there is a button; the style sheet shows it
 * only when the work lasts.
 */
export function setStatus(kind: 'loading' | 'ready' | 'error', message: string, cancel?: () => void): void {
  const status = byId('status');
  status.dataset['state'] = kind;
  fill(status, message, cancel === undefined ? null : cancelButton(cancel));
  document.body.dataset['state'] = kind;
}

export function cancelButton(cancel: () => void): HTMLElement {
  return h('button', { type: 'button', class: 'secondary cancel', click: cancel }, 'Cancel');
}

export function showError(title: string, error: unknown, again: () => void): void {
  setStatus('error', '');
  const button = h('button', { type: 'button', class: 'secondary', click: again }, 'Try again');
  fill(byId('status'), h('strong', null, title), ' ', sentenceOf(error), ' ', button);
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
