import type { Machine } from "../../protocol/machines.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import type { Report } from "../window/progress.ts";
import { durationText } from "../rows/quantities.ts";
import type { Records } from "../helper/records.ts";
import { isPassing, sinceMsOf, stateText } from "../rows/machine.ts";

/** Starts or resumes a machine when needed and answers once its guest was reached. */
export type MakeReady = (
  id: string,
  report: Report,
  signal: AbortSignal,
) => Promise<Machine>;

export const readyMaker =
  (call: Call, machines: Records<Machine>): MakeReady =>
  (id, report, signal) =>
    reporting(
      machines,
      () => machines.get(id),
      report,
      () =>
        about({ kind: "machine", id }, async () => {
          if (machines.get(id)?.state.kind === "paused")
            await call("machines.resume", { machine: id }, signal);
          const { machine } = await call(
            "machines.start",
            { machine: id },
            signal,
          );
          return machine;
        }),
    );

/** Reports a machine's stage with its age while `work` goes on; `find` may answer it only after a while. */
export async function reporting<T>(
  machines: Records<Machine>,
  find: () => Machine | undefined,
  report: Report,
  work: () => Promise<T>,
): Promise<T> {
  const tell = (): void => {
    const state = find()?.state;
    if (state === undefined || !isPassing(state)) return;
    const since = sinceMsOf(state);
    const age = since === undefined ? [] : [durationText(Date.now() - since)];
    report([stateText(state), ...age].join(" · "));
  };
  const stopListening = machines.onDidChange(tell);
  const timer = setInterval(tell, 1_000);
  try {
    tell();
    return await work();
  } finally {
    clearInterval(timer);
    stopListening();
  }
}
