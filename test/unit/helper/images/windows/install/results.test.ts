import { expect, test } from "vitest";
import { readResults } from "../../../../../../src/helper/images/windows/install/results.ts";
import { windowsSteps } from "../../../../../../src/helper/images/windows/steps/steps.ts";
import { sources } from "../house.ts";

const steps = windowsSteps(sources);
const folder = "C:\\ProgramData\\Guesthouse";
const read = (files: Readonly<Record<string, string>>) =>
  readResults((path) => Promise.resolve(files[path]), steps);
const step = (value: object): string => JSON.stringify(value);

test("nothing is there yet", async () => {
  expect(await read({})).toEqual({ steps: new Map(), round: 0 });
});

test("what the scripts write is read as PowerShell writes it", async () => {
  const ok = { id: "firewall", part: "Verify", ok: true, reason: "" };
  expect(
    await read({
      [`${folder}\\round`]: "2\r\n",
      [`${folder}\\ready.json`]:
        '{\r\n    "finishedAt":  "2026-01-01T00:00:00.0000000Z",\r\n    "manifest":  "abc"\r\n}',
      [`${folder}\\failed.json`]: '\ufeff{ "failed":  [ "drivers" ] }',
      [`${folder}\\steps\\firewall.json`]: step(ok),
    }),
  ).toEqual({
    steps: new Map([["firewall", ok]]),
    round: 2,
    ready: "abc",
    failed: ["drivers"],
  });
});

test("a file that is half written or of another step is no word", async () => {
  expect(
    await read({
      [`${folder}\\round`]: "x",
      [`${folder}\\ready.json`]: '{ "mani',
      [`${folder}\\steps\\firewall.json`]: step({
        id: "power",
        part: "Verify",
        ok: true,
        reason: "",
      }),
      [`${folder}\\steps\\drivers.json`]: "",
    }),
  ).toEqual({ steps: new Map(), round: 0 });
});

test.each([
  ["garbage", "\u0000\u00ff"],
  ["another type", '{ "manifest": 1, "failed": "all" }'],
  ["a list", "[]"],
  ["an enormous name", step({ manifest: "x".repeat(1_000_000) })],
  [
    "an endless list",
    step({ failed: Array.from({ length: 20_000 }, () => "") }),
  ],
])("%s in a marker is no word of an end", async (_, text) => {
  expect(
    await read({
      [`${folder}\\ready.json`]: text,
      [`${folder}\\failed.json`]: text,
      [`${folder}\\steps\\firewall.json`]: text,
      [`${folder}\\round`]: text,
    }),
  ).toEqual({ steps: new Map(), round: 0 });
});

test("an enormous reason is cut", async () => {
  const { steps: results } = await read({
    [`${folder}\\steps\\firewall.json`]: step({
      ...{ id: "firewall", part: "Verify", ok: false },
      reason: "r".repeat(1_000_000),
    }),
  });
  expect(results.get("firewall")?.ok).toBe(false);
  expect(results.get("firewall")?.reason.length).toBeLessThan(3_000);
});
