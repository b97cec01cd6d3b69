/** What draws rows again while time passes; whoever made it ends it. */
export interface Ticker {
  /** Asks anew when the next beat is due: after rows came, went or changed, and when the view is shown or hidden. */
  readonly look: () => void;
  readonly dispose: () => void;
}

/** Calls `beat` after each pause that `nextMs` gives, for as long as it gives one. */
export function createTicker(
  nextMs: () => number | undefined,
  beat: () => void,
): Ticker {
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    clearTimeout(timer);
    const waitMs = nextMs();
    if (waitMs === undefined) return;
    timer = setTimeout(() => {
      beat();
      look();
    }, waitMs);
  };
  return { look, dispose: () => clearTimeout(timer) };
}
