import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The folder of the installed package: the bundle lies in its `dist`. */
export const packageRoot = path.join(__dirname, '..');

/** Version of the installed package; 'unknown' when the bundle was moved out of it. */
export function readVersion(): string {
  try {
    const { version } = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as { version: string };
    return version;
  } catch {
    return 'unknown';
  }
}
