/**
 * The first message to a worker of the browser: what it is for. One bundle does everything, so that it is loaded once.
 * `disk` is one end of a pipe that `diskMethods` are asked over.
 */
export type WebWorkerRole<Port> =
  | {
      readonly role: 'server';
      readonly disk: Port;
      /** Where the bundle is, to start more workers of it. */
      readonly script: string;
    }
  | { readonly role: 'lines'; readonly disk: Port; readonly uri: string }
  | { readonly role: 'jobs'; readonly data: unknown };
