/** Takes the bytes so far, answers with bytes per second over the last seconds. */
export type RateMeter = (bytes: number) => number;

const windowMs = 5000;

export function rateMeter(now: () => number = Date.now): RateMeter {
  const samples: { at: number; bytes: number }[] = [];
  return (bytes) => {
    const at = now();
    const last = samples.at(-1);
    // Starting over, or going on elsewhere, is no speed.
    if (last !== undefined && bytes < last.bytes) samples.length = 0;
    // Ten samples a second describe the window well enough.
    if (last === undefined || samples.length === 0 || at - last.at >= 100)
      samples.push({ at, bytes });
    while (samples.length > 1 && at - (samples[0]?.at ?? at) > windowMs)
      samples.shift();
    const first = samples[0];
    if (first === undefined || at === first.at) return 0;
    return Math.round((1000 * (bytes - first.bytes)) / (at - first.at));
  };
}
