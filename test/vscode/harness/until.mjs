/** Polls until `check` gives something truthy; failures inside `check` count as "not yet". `what` is a text, or makes one. */
export async function expectEventually(check, what, ms = 60_000) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) {
      const named = typeof what === 'function' ? what() : what;
      throw new Error(`timed out waiting for ${named}${last === undefined ? '' : `: ${last.message}`}`, {
        cause: last,
      });
    }
    await new Promise((r) => setTimeout(r, 50));
  }
}
