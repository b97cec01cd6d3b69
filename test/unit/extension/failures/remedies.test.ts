import { expect, test, vi } from "vitest";
import {
  about,
  failedWorkOf,
} from "../../../../src/extension/failures/about.ts";
import { noticeOf } from "../../../../src/extension/failures/remedies.ts";
import { commandIds } from "../../../../src/extension/window/commandIds.ts";
import {
  bug,
  cancelled,
  type Failure,
  failed,
  refused,
  remedyActions,
} from "../../../../src/protocol/failure.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const machine = { kind: "machine", id: "0123456789ab" } as const;
const notReady: Failure = failed(
  "machines.notReady",
  "debian-12 was not reached within 60 s.",
  {
    remedy: "Look at the diagnosis.",
    actions: ["showDiagnosis", "openConsole", "retry", "delete"],
  },
).failure;

test("a guest that is not reached offers diagnosis, console, retry and delete (B8)", () => {
  expect(noticeOf(notReady, machine)).toEqual({
    severity: "error",
    text: "debian-12 was not reached within 60 s. Look at the diagnosis.",
    remedies: [
      {
        kind: "command",
        title: "Show Diagnosis",
        command: "guesthouse.showDiagnosis",
      },
      {
        kind: "command",
        title: "Open Console",
        command: "guesthouse.openConsole",
      },
      { kind: "again", title: "Try Again" },
      {
        kind: "command",
        title: "Delete…",
        command: "guesthouse.deleteMachine",
      },
    ],
  });
});

test("buttons that need a machine are left out when none is known", () => {
  const titles = noticeOf(notReady, undefined)?.remedies.map(
    ({ title }) => title,
  );
  expect(titles).toEqual(["Try Again"]);
});

test("every action has a button, and every button's command exists", () => {
  const all: Failure = { ...notReady, actions: [...remedyActions] };
  const remedies = noticeOf(all, machine)?.remedies ?? [];
  expect(remedies).toHaveLength(remedyActions.length);
  const commands = remedies.flatMap((remedy) =>
    remedy.kind === "command" ? [remedy.command] : [],
  );
  expect(commandIds).toEqual(expect.arrayContaining(commands));
});

test("a cancelled request is silent", () => {
  expect(noticeOf(cancelled().failure, machine)).toBeUndefined();
});

test("a refusal warns, a bug offers a report and the helper's log", () => {
  const refusal = refused("machines.nameTaken", "There is a web already.");
  expect(noticeOf(refusal.failure, undefined)?.severity).toBe("warning");
  const ours = noticeOf(bug("Sorry.").failure, undefined);
  expect(ours?.severity).toBe("error");
  expect(ours?.remedies).toEqual([
    {
      kind: "command",
      title: "Show Log",
      command: "guesthouse.showHelperLog",
    },
    { kind: "command", title: "Report…", command: "guesthouse.reportProblem" },
  ]);
});

test("Try Again repeats the step that failed, not what led to it", async () => {
  const done: string[] = [];
  const start = (): Promise<void> => {
    done.push("start");
    return Promise.reject(failed("machines.startFailed", "No."));
  };
  const work = async (): Promise<void> => {
    done.push("create");
    await about({ kind: "image", id: "outer" }, () => about(machine, start));
  };
  const error: unknown = await work().catch((thrown: unknown) => thrown);
  const known = failedWorkOf(error);
  expect(known?.subject).toEqual(machine);
  await known?.again().catch(() => undefined);
  expect(done).toEqual(["create", "start", "start"]);
});
