import { describe, expect, it } from 'vitest';
import { panelHtml } from '../../src/extension/panelHtml';

const options = {
  cspSource: 'https://file+.vscode-resource.test',
  scriptUri: 'https://file+.vscode-resource.test/dist/webview.js',
  styleUri: 'https://file+.vscode-resource.test/media/panel.css',
  nonce: 'abc123',
  language: 'en',
  title: 'Replay: trace.txt',
};

function policyOf(html: string): Map<string, string> {
  const content = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? '';
  return new Map(
    content.split(';').map((directive): [string, string] => {
      const [name = '', ...sources] = directive.trim().split(' ');
      return [name, sources.join(' ')];
    }),
  );
}

describe('the page of the panel', () => {
  it('may load its own script and style sheet and nothing else', () => {
    const policy = policyOf(panelHtml(options));
    expect(policy.get('default-src')).toBe("'none'");
    expect(policy.get('script-src')).toBe("'nonce-abc123'");
    expect(policy.get('style-src')).toBe(options.cspSource);
    expect([...policy.keys()].sort()).toEqual(['default-src', 'script-src', 'style-src']);
  });

  it('has one script, by its nonce, and no handler in an attribute', () => {
    const html = panelHtml(options);
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).toContain('<script nonce="abc123" src=');
    expect(html).not.toMatch(/\son\w+=/);
    expect(html).not.toContain('style="');
  });

  it('takes the name of a file as text', () => {
    const html = panelHtml({ ...options, title: '"><img src=x onerror=alert(1)>.txt' });
    expect(html).not.toContain('<img');
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });
});
