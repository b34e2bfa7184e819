import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCli, type Cli } from '../support/cli';

let cli: Cli;

beforeAll(async () => {
  cli = await buildCli();
});
afterAll(() => cli.remove());

it('capture prints a script for the kernel, and what is known about it beside', () => {
  const { code, out, err } = cli.run(['capture', '--kernel', '6.18.44', '--seconds', '7']);
  expect(code).toBe(0);
  expect(out.startsWith('#!/bin/sh\n')).toBe(true);
  expect(out).toMatch(/^DURATION=7$/m);
  expect(out).toMatch(/^FIRST_RELEASE=6018$/m);
  expect(err).toMatch(/for Linux 6\.18 and later\. Nobody has run this script/);
  expect(spawnSync('sh', ['-n'], { input: out }).status).toBe(0);
});

it('capture --json carries the script', () => {
  const report = cli.json(['capture', '--kernel', '6.1.0-56-cloud-amd64']);
  expect(report).toMatchObject({ kernel: '6.1.0-56-cloud-amd64', kernels: 'Linux 6.0 to 6.5', seconds: 30 });
  expect(String(report['script'])).toContain('p:$GROUP/map ');
});

it('capture refuses what is no release, and no time', () => {
  for (const args of [[], ['--kernel', 'latest'], ['--kernel', '6.12', '--seconds', 'long']]) {
    expect(cli.run(['capture', ...args]).code).toBe(2);
  }
  expect(cli.run(['capture', '--kernel', 'latest']).err).toMatch(/a release such as 6\.12/);
});
