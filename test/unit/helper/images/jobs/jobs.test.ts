import { describe, expect, it } from "vitest";
import { promiseWithResolvers } from "../../../../../src/base/deadline.ts";
import { silentLog } from "../../../../../src/base/log.ts";
import {
  type Jobs,
  createJobs,
  helperEnds,
} from "../../../../../src/helper/images/jobs/jobs.ts";
import { failed } from "../../../../../src/protocol/failure.ts";

interface Seen {
  readonly jobs: Jobs;
  readonly states: string[];
  readonly failures: string[];
}
const jobsOf = (): Seen => {
  const states: string[] = [];
  const failures: string[] = [];
  const jobs: Jobs = createJobs(
    {
      onState: (name) =>
        states.push(`${name} ${jobs.state(name)?.stage ?? "over"}`),
      onFailure: (name, { failure }) =>
        failures.push(
          `${name} ${failure.code} ${jobs.state(name)?.stage ?? "over"}`,
        ),
    },
    silentLog,
  );
  return { jobs, states, failures };
};
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("aborted")));
  });
const tick = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 1));

describe("createJobs (B19, B26)", () => {
  it("lets concurrent callers share one piece of work", async () => {
    const { jobs } = jobsOf();
    const gate = promiseWithResolvers<string>();
    let runs = 0;
    const work = (): Promise<string> => {
      runs++;
      return gate.promise;
    };
    const results = [1, 2, 3].map(() =>
      jobs.run({ name: "a", kind: "obtain" }, work),
    );
    gate.resolve("made");
    expect(await Promise.all(results)).toEqual(["made", "made", "made"]);
    expect(runs).toBe(1);
    expect(jobs.names()).toEqual([]);
  });

  it("goes on when one caller leaves, and is cancelled by the last one", async () => {
    const { jobs, failures } = jobsOf();
    let aborted = false;
    const work = async (_: unknown, signal: AbortSignal): Promise<void> => {
      try {
        await untilAborted(signal);
      } finally {
        aborted = true;
      }
    };
    const first = new AbortController();
    const second = new AbortController();
    const results = [first, second].map(({ signal }) =>
      jobs
        .run({ name: "a", kind: "obtain" }, work, signal)
        .catch((error: unknown) => error),
    );
    await tick();
    first.abort();
    expect(await results[0]).toMatchObject({ failure: { kind: "cancelled" } });
    expect(aborted).toBe(false);
    second.abort();
    expect(await results[1]).toMatchObject({ failure: { kind: "cancelled" } });
    expect(aborted).toBe(true);
    expect(failures).toEqual(["a request.cancelled over"]);
  });

  it("cancels for everybody, after the work has cleaned up", async () => {
    const { jobs } = jobsOf();
    const order: string[] = [];
    const waiting = jobs
      .run({ name: "a", kind: "obtain" }, async (_, signal) => {
        await untilAborted(signal).catch(() => undefined);
        await tick();
        order.push("cleaned");
        throw new Error("whatever");
      })
      .catch((error: unknown) => error);
    await tick();
    expect(await jobs.cancel("a")).toBe(true);
    order.push("cancelled");
    expect(order).toEqual(["cleaned", "cancelled"]);
    expect(await waiting).toMatchObject({ failure: { kind: "cancelled" } });
    expect(await jobs.cancel("a")).toBe(false);
  });

  it("starts anew, not with cancelled work that still cleans up", async () => {
    const { jobs } = jobsOf();
    const controller = new AbortController();
    const cleaned = promiseWithResolvers<void>();
    const gone = jobs
      .run(
        { name: "a", kind: "obtain" },
        async (_, signal) => {
          await untilAborted(signal).catch(() => undefined);
          await cleaned.promise;
          return "old";
        },
        controller.signal,
      )
      .catch(() => "left");
    await tick();
    controller.abort();
    await tick();
    const fresh = jobs.run({ name: "a", kind: "obtain" }, () =>
      Promise.resolve("new"),
    );
    await tick();
    cleaned.resolve();
    expect(await fresh).toBe("new");
    expect(await gone).toBe("left");
  });

  it("refuses work of another kind on the same image", async () => {
    const { jobs } = jobsOf();
    const gate = promiseWithResolvers<void>();
    const first = jobs.run({ name: "a", kind: "obtain" }, () => gate.promise);
    await expect(
      jobs.run({ name: "a", kind: "validate" }, () => Promise.resolve()),
    ).rejects.toMatchObject({ failure: { code: "images.busy" } });
    gate.resolve();
    await first;
  });

  it("tells a new stage at once and the rest at leisure", async () => {
    const { jobs, states } = jobsOf();
    const heard: (number | undefined)[] = [];
    await jobs.run(
      {
        ...{ name: "a", kind: "obtain" },
        onProgress: ({ fraction }) => heard.push(fraction),
      },
      (progress) => {
        progress({ stage: "download", bytes: 0, totalBytes: 10 });
        for (let bytes = 1; bytes < 10; bytes++)
          progress({ stage: "download", bytes, totalBytes: 10 });
        progress({ stage: "convert", fraction: 0.5 });
        return Promise.resolve();
      },
    );
    expect(states).toEqual(["a download", "a convert"]);
    expect(heard).toEqual([0, 0.5]);
  });

  it("says what went wrong, and a full disk by its own code", async () => {
    const { jobs, failures } = jobsOf();
    const full = Object.assign(new Error("write"), { code: "ENOSPC" });
    await expect(
      jobs.run({ name: "a", kind: "import" }, () => Promise.reject(full)),
    ).rejects.toMatchObject({ failure: { code: "host.diskFull" } });
    await expect(
      jobs.run({ name: "b", kind: "import" }, () =>
        Promise.reject(failed("images.broken", "It is.")),
      ),
    ).rejects.toMatchObject({ failure: { code: "images.broken" } });
    expect(failures).toEqual(["a host.diskFull over", "b images.broken over"]);
  });

  it("tells work that it ends because the helper does, and not because somebody cancelled it", async () => {
    const { jobs } = jobsOf();
    const reasons: unknown[] = [];
    const work = (_: unknown, signal: AbortSignal): Promise<void> =>
      untilAborted(signal).catch((error: unknown) => {
        reasons.push(signal.reason === helperEnds);
        throw error;
      });
    for (const end of [() => jobs.cancel("a"), () => jobs.close()]) {
      const running = jobs
        .run({ name: "a", kind: "install" }, work)
        .catch(() => undefined);
      await tick();
      await end();
      await running;
    }
    expect(reasons).toEqual([false, true]);
  });

  it("ends everything on close and takes nothing new", async () => {
    const { jobs } = jobsOf();
    const running = jobs
      .run({ name: "a", kind: "obtain" }, (_, signal) => untilAborted(signal))
      .catch((error: unknown) => error);
    await tick();
    await jobs.close();
    expect(await running).toMatchObject({ failure: { kind: "cancelled" } });
    await expect(
      jobs.run({ name: "b", kind: "obtain" }, () => Promise.resolve()),
    ).rejects.toMatchObject({ failure: { kind: "cancelled" } });
  });
});
