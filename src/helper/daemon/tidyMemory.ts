import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** So long after the last work nobody waits for the next. */
const quietMs = 5_000;

/**
 * Gives memory back once the helper has had nothing to do for some seconds: V8 by itself waits for more work before it
 * looks, and the helper waits most of its life. Call `worked` after each piece of work.
 */
export function tidyMemory(): { readonly worked: () => void } {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let timer: NodeJS.Timeout | undefined;
  return {
    worked() {
      if (timer !== undefined) {
        timer.refresh();
        return;
      }
      timer = setTimeout(() => {
        timer = undefined;
        collect();
      }, quietMs).unref();
    },
  };
}
