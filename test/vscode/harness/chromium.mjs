// Where Chromium is. The tests fail with the command that installs it rather than being left out.
import fs from 'node:fs';

const usualPlaces = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/snap/bin/chromium',
];

export function findChromium(env = process.env) {
  const candidates = env.CHROMIUM ? [env.CHROMIUM] : usualPlaces;
  const found = candidates.find((file) => fs.existsSync(file));
  if (found) return found;
  throw new Error(
    `The tests in VS Code need Chromium, and there is none at ${candidates.join(', ')}.\n` +
      'Install it with: sudo apt-get update && sudo apt-get install -y chromium\n' +
      'or name one: CHROMIUM=/path/to/chromium npm test',
  );
}
