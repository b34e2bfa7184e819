import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    env: { TZ: 'UTC', LC_ALL: 'C' },
    testTimeout: 60_000,
  },
});
