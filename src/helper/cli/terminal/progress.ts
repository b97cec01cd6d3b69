import ora, { type Ora } from "ora";
import type { Image } from "../../../protocol/images.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { bytes, seconds } from "./format.ts";

/** What is going on, on standard error: one living line on a terminal, a line per step elsewhere, nothing with --json. */
export interface Progress {
  /** `step` changes seldom and is kept; `detail` changes often. */
  show(step: string, detail?: string): void;
  /** Whole lines that stay, such as a command's output. */
  print(lines: string): void;
  stop(): void;
}

export function createProgress(quiet: boolean): Progress {
  if (quiet)
    return {
      show: () => undefined,
      print: () => undefined,
      stop: () => undefined,
    };
  if (process.stderr.isTTY) return liveProgress();
  let last = "";
  return {
    show(step) {
      if (step !== last) process.stderr.write(`${step}\n`);
      last = step;
    },
    print: (lines) => process.stderr.write(lines),
    stop: () => undefined,
  };
}

function liveProgress(): Progress {
  let spinner: Ora | undefined;
  // A notice may still come while the command's answer is printed, or while an ssh session has the terminal.
  let isOver = false;
  let step = "";
  let stepStartedAt = 0;
  let detail = "";
  const render = (): void => {
    const elapsed = seconds(performance.now() - stepStartedAt);
    if (spinner !== undefined)
      spinner.text = [step, elapsed, detail]
        .filter((part) => part !== "")
        .join(" · ");
  };
  const timer = setInterval(render, 200);
  timer.unref();
  return {
    show(nextStep, nextDetail = "") {
      if (isOver) return;
      // Its way of swallowing keys takes Ctrl-C, too (F15).
      spinner ??= ora({ stream: process.stderr, discardStdin: false }).start();
      if (nextStep !== step) stepStartedAt = performance.now();
      step = nextStep;
      detail = nextDetail;
      render();
    },
    print(lines) {
      spinner?.clear();
      process.stderr.write(lines);
      spinner?.render();
    },
    stop() {
      isOver = true;
      clearInterval(timer);
      spinner?.stop();
      spinner = undefined;
    },
  };
}

/** One machine's way to readiness, as progress. */
export function showMachine(progress: Progress, machine: Machine): void {
  const { state, name } = machine;
  switch (state.kind) {
    case "creating":
      progress.show(`${name}: making the ${state.step}`);
      return;
    case "starting":
      progress.show(`${name}: ${state.stage}`);
      return;
    case "stopping":
      progress.show(`${name}: ${state.step}`);
      return;
    case "running":
    case "unready":
    case "paused":
    case "stopped":
    case "deleting":
      progress.show(`${name}: ${state.kind}`);
  }
}

/** An image being made, as progress. */
export function showImage(progress: Progress, { name, state }: Image): void {
  if (state.kind !== "working") return;
  const { bytes: done, totalBytes, bytesPerSecond, fraction } = state;
  const parts: string[] = [];
  if (done !== undefined)
    parts.push(
      totalBytes === undefined
        ? bytes(done)
        : `${bytes(done)} of ${bytes(totalBytes)}`,
    );
  if (bytesPerSecond !== undefined) parts.push(`${bytes(bytesPerSecond)}/s`);
  if (fraction !== undefined)
    parts.push(`${String(Math.floor(fraction * 100))} %`);
  if (state.detail !== undefined) parts.push(state.detail);
  progress.show(`image ${name}: ${state.stage}`, parts.join(" · "));
}
