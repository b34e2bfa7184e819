import { expect, it } from 'vitest';
import { captureKernels } from '../../src/analysis/captureKernels';
import { captureScriptsRequest } from '../../src/protocol/lsp';
import { LspServer } from '../support/lsp';

it('gives the capture script of every range of kernels, without a document', async () => {
  const server = await LspServer.start();
  const result = await server.ask(captureScriptsRequest, {});
  await server.stop();
  const scripts = result.ok ? result.value : [];
  expect(scripts.map(({ title }) => title)).toEqual(captureKernels.map(({ title }) => title));
  for (const { title, tried, script } of scripts) {
    expect(script.startsWith('#!/bin/sh\n')).toBe(true);
    expect(script).toContain(title);
    expect(tried).not.toBe('');
  }
}, 60_000);
