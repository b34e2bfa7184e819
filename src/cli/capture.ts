import { captureKernels, captureKernelsFor } from '../analysis/captureKernels';
import { captureScript, triedText } from '../analysis/captureScript';
import { type Context, Exit, UsageError } from './commands';

export interface CaptureFlags {
  readonly kernel: string;
  readonly seconds: number;
}

/** Prints the script that records a capture on a kernel. */
export function runCapture(flags: CaptureFlags, { terminal, flags: common }: Context): number {
  const kernels = captureKernelsFor(flags.kernel);
  if (kernels === null) {
    const known = captureKernels.map(({ title }) => title).join(', ');
    throw new UsageError(
      `--kernel takes a release such as 6.12 (there are scripts for ${known}), not '${flags.kernel}'`,
    );
  }
  const script = captureScript({ kernels, seconds: flags.seconds });
  if (common.json === true) {
    const { title, triedOn } = kernels;
    terminal.out(
      `${JSON.stringify({ kernel: flags.kernel, kernels: title, triedOn, seconds: flags.seconds, script })}\n`,
    );
    return Exit.done;
  }
  terminal.out(script);
  terminal.note(`swiotlb-lens: for ${kernels.title}. ${triedText(kernels)}`);
  return Exit.done;
}
