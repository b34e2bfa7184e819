import { describe, expect, it } from 'vitest';
import { captureKernels, captureKernelsFor } from '../../src/analysis/captureKernels';
import { captureScript } from '../../src/analysis/captureScript';
import { quoted, sh } from '../../src/analysis/captureShell';

function check(release: string, title: string | null): void {
  expect(captureKernelsFor(release)?.title ?? null).toBe(title);
}

describe('the script for a release', () => {
  it('is found by its first two numbers', () => {
    check('5.15.0-91-generic', 'Linux before 6.0');
    check('4.18', 'Linux before 6.0');
    check('6.0', 'Linux 6.0 to 6.5');
    check('6.1.0-56-cloud-amd64', 'Linux 6.0 to 6.5');
    check('6.5.13', 'Linux 6.0 to 6.5');
    check('6.6', 'Linux 6.6 to 6.11');
    check('6.11.0', 'Linux 6.6 to 6.11');
    check('6.12.117+deb12-cloud-amd64', 'Linux 6.12 to 6.17');
    check('6.17', 'Linux 6.12 to 6.17');
    check('6.18.44', 'Linux 6.18 and later');
    check('7.1', 'Linux 6.18 and later');
    check('6.100', 'Linux 6.18 and later');
  });

  it('does not exist for something else', () => {
    check('', null);
    check('latest', null);
    check('6', null);
  });

  it('is exactly one for every release', () => {
    for (let code = 2_000; code < 8_000; code++) {
      const fitting = captureKernels.filter(({ first, last }) => first <= code && (last === null || code <= last));
      expect(fitting.length, String(code)).toBe(1);
    }
  });
});

describe('the header', () => {
  it('says on which kernels it was run, or that nobody ran it', () => {
    for (const kernels of captureKernels) {
      const head = captureScript({ kernels, seconds: 5 }).split('\n\n')[0]!.replaceAll('\n# ', ' ');
      expect(head).toContain(kernels.title);
      if (kernels.triedOn.length === 0) {
        expect(head).toMatch(/Nobody has run this script/);
      } else {
        for (const release of kernels.triedOn) {
          expect(head).toContain(release);
          expect(captureKernelsFor(release)).toBe(kernels);
        }
        expect(head).not.toMatch(/Nobody has run/);
      }
      expect(head).toMatch(/Tracing costs CPU time/);
    }
  });

  it('promises addresses only where probes record them', () => {
    for (const kernels of captureKernels) {
      const script = captureScript({ kernels, seconds: 5 });
      expect(script.includes('swiotlb_tbl_map_single')).toBe(kernels.probes !== null);
      expect(/enough for an exact replay/.test(script)).toBe(kernels.probes !== null);
    }
  });
});

describe('shell text', () => {
  it('keeps what the shell is to see', () => {
    const told = sh`
a=\${b:-c} \$d \n \`${'x'}`;
    // biome-ignore lint/suspicious/noTemplateCurlyInString: these braces are the shell's.
    expect(told).toBe('a=${b:-c} \\$d \\n `x');
  });

  it('is quoted for every text', () => {
    expect(quoted("it's $5")).toBe("'it'\\''s $5'");
  });
});
