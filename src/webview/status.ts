import { byId, fill, h } from './dom';

/** What the panel is doing, in its status line and on the body. */
export function setStatus(kind: 'loading' | 'ready' | 'error', message: string): void {
  const status = byId('status');
  status.dataset['state'] = kind;
  status.textContent = message;
  document.body.dataset['state'] = kind;
}

export function showError(title: string, error: unknown, again: () => void): void {
  setStatus('error', '');
  const button = h('button', { type: 'button', class: 'secondary', click: again }, 'Try again');
  fill(byId('status'), h('strong', null, title), ' ', sentenceOf(error), ' ', button);
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
