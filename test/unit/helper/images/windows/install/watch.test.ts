import { describe, expect, test } from "vitest";
import type {
  InstallResults,
  StepResult,
} from "../../../../../../src/helper/images/windows/install/results.ts";
import {
  firstWatch,
  type InstallRules,
  type InstallSight,
  type InstallWord,
  look,
} from "../../../../../../src/helper/images/windows/install/watch.ts";
import { windowsSteps } from "../../../../../../src/helper/images/windows/steps/steps.ts";
import { sources } from "../house.ts";

const steps = windowsSteps(sources);
const MiB = 2 ** 20;
const rules: InstallRules = {
  steps,
  manifest: "digest",
  stallMs: 20_000,
  giveUpMs: 60_000,
};

/** Looks one after the other, a second apart unless they say otherwise; answers with the last word. */
function seen(
  sights: readonly Partial<InstallSight>[],
  restarts = 0,
  by: InstallRules = rules,
): InstallWord {
  let watch = firstWatch(0, 0, restarts);
  let last: InstallSight = {
    atMs: 0,
    diskBytes: 200_000,
    resets: 0,
    off: false,
  };
  let word: InstallWord | undefined;
  for (const sight of sights) {
    // No agent answers unless a sight says so.
    const { atMs, diskBytes, resets, off } = last;
    last = { diskBytes, resets, off, atMs: atMs + 1_000, ...sight };
    ({ watch, word } = look(watch, last, by));
  }
  if (word === undefined) throw new Error("nothing was looked at");
  return word;
}

const results = (
  entries: Readonly<Record<string, readonly [StepResult["part"], string?]>>,
  more: Partial<InstallResults> = {},
): InstallResults => ({
  steps: new Map(
    Object.entries(entries).map(([id, [part, reason = ""]]) => [
      id,
      { id, part, ok: reason === "", reason },
    ]),
  ),
  round: 0,
  ...more,
});
const verified = Object.fromEntries(
  steps.slice(0, -1).map(({ id }) => [id, ["Verify"] as const]),
);
const begun = { diskBytes: 100 * MiB };

describe("what is seen of an installation, and what it means", () => {
  test("firmware as long as the disk is empty, whatever the firmware resets", () => {
    expect(seen([{}, { resets: 1 }])).toEqual({
      kind: "going",
      stage: "firmware",
    });
    expect(seen([{ resets: 1 }, begun])).toMatchObject({ stage: "setup" });
  });

  test("setup, then specialize after a restart, then the first logon after another", () => {
    expect(seen([begun])).toEqual({ kind: "going", stage: "setup" });
    expect(seen([begun, { resets: 1 }])).toEqual({
      kind: "going",
      stage: "specialize",
      detail: "1 restart",
    });
    expect(seen([begun, { resets: 1 }, { resets: 2 }])).toEqual({
      kind: "going",
      stage: "first logon",
      detail: "2 restarts",
    });
  });

  test("restarts that an earlier helper saw count", () => {
    expect(seen([begun, { resets: 1 }], 1)).toMatchObject({
      stage: "first logon",
      detail: "2 restarts",
    });
  });

  test("the scripts' own word goes before what restarts mean, and stays while the agent is away", () => {
    const logon = results({
      power: ["Install"],
      drivers: ["Install"],
      "guest-agent": ["Install"],
    });
    const word = {
      kind: "going",
      stage: "first logon",
      detail: "step 3 of 9 (viosock)",
      fraction: 2 / 9,
    };
    expect(seen([begun, { results: logon }])).toEqual(word);
    expect(seen([begun, { results: logon }, {}])).toEqual(word);
  });

  test("verification and remediation, with their counts", () => {
    expect(
      seen([
        begun,
        { results: results({ ...verified, firewall: ["Install"] }) },
      ]),
    ).toMatchObject({
      stage: "verification",
      detail: "17 of 18 steps verified",
      fraction: 17 / 18,
    });
    expect(
      seen([
        begun,
        {
          results: results(
            { ...verified, firewall: ["Remediate"] },
            { round: 2 },
          ),
        },
      ]),
    ).toMatchObject({
      stage: "remediation",
      detail: "round 2 of 3 (firewall)",
    });
    expect(
      seen([begun, { results: results(verified, { round: 2 }) }]),
    ).toMatchObject({ stage: "verification" });
  });

  test("ready by the marker of these very steps only", () => {
    const all = results(verified, { ready: "digest" });
    expect(seen([begun, { results: all }])).toEqual({
      kind: "ready",
      results: all,
    });
    expect(
      seen([begun, { results: { ...all, ready: "another" } }]),
    ).toMatchObject({ kind: "failed", why: "marker" });
  });

  test("what couldn't be mended is named with its reason", () => {
    const word = seen([
      begun,
      {
        results: results(
          { ...verified, firewall: ["Verify", "It is off."] },
          { failed: ["firewall"], round: 3 },
        ),
      },
    ]);
    expect(word).toMatchObject({
      kind: "failed",
      why: "steps",
      message: expect.stringMatching(/a step .* It is off\.$/) as string,
    });
  });

  test("a marker that doesn't hold ends it too: nobody would say more", () => {
    expect(
      seen([
        begun,
        {
          results: results({
            ...verified,
            marker: ["Verify", "The marker is missing."],
          }),
        },
      ]),
    ).toMatchObject({ kind: "failed", why: "steps" });
  });

  test("a machine that is off before it said ready has failed, one that said so hasn't", () => {
    expect(seen([begun, { off: true }])).toMatchObject({
      kind: "failed",
      why: "off",
    });
    expect(
      seen([
        begun,
        { results: results(verified, { ready: "digest" }), off: true },
      ]),
    ).toMatchObject({ kind: "ready" });
  });
});

describe("standing still", () => {
  const still = (atMs: number, sight: Partial<InstallSight> = {}) =>
    seen([begun, { atMs, ...sight }]);

  test("is told after a while, and ends it after a longer one", () => {
    expect(still(20_000)).not.toHaveProperty("stalledMs");
    expect(still(21_000)).toMatchObject({
      kind: "going",
      stalledMs: 20_000,
      detail: "nothing has moved for 20 s, look at its screen",
    });
    expect(still(61_000)).toMatchObject({ kind: "failed", why: "stalled" });
  });

  test.each<[string, Partial<InstallSight>]>([
    ["the disk grew", { diskBytes: 102 * MiB }],
    ["the disk shrank, as by a trim", { diskBytes: 50 * MiB }],
    ["something restarted", { resets: 1 }],
    ["a step ended", { results: results({ drivers: ["Install"] }) }],
  ])("doesn't where %s", (_, sight) => {
    expect(still(100_000, sight)).not.toHaveProperty("stalledMs");
    expect(
      seen([begun, { atMs: 59_000, ...sight }, { atMs: 78_000 }]),
    ).not.toHaveProperty("stalledMs");
  });

  test("isn't ended by the little that an idle system writes", () => {
    expect(still(61_000, { diskBytes: 100 * MiB + 300_000 })).toMatchObject({
      why: "stalled",
    });
  });

  test("doesn't hide that it is ready", () => {
    expect(
      still(999_000, { results: results(verified, { ready: "digest" }) }),
    ).toMatchObject({ kind: "ready" });
  });
});

describe("what is seen of a disk that came with Windows", () => {
  const disk = (sights: readonly Partial<InstallSight>[]): InstallWord =>
    seen(sights, 0, { ...rules, reachMs: 30_000 });
  const inside = { ...begun, begun: true } as const;

  test("it starts, is verified and mended; nothing is set up or logged on to", () => {
    expect(disk([{ resets: 1 }])).toEqual({ kind: "going", stage: "firmware" });
    expect(disk([begun, { resets: 1 }])).toEqual({
      kind: "going",
      stage: "start",
      detail: "1 restart",
    });
    expect(disk([inside])).toMatchObject({ stage: "verification" });
    expect(
      disk([{ ...inside, results: results({ firewall: ["Remediate"] }) }]),
    ).toMatchObject({ stage: "remediation" });
    expect(
      disk([{ ...inside, results: results(verified, { ready: "digest" }) }]),
    ).toMatchObject({ kind: "ready" });
  });

  test("nobody inside takes the steps: given up in time, with the guest's own reason where it has one", () => {
    expect(disk([begun, { atMs: 29_000 }])).toMatchObject({ kind: "going" });
    expect(disk([begun, { atMs: 30_000, diskBytes: 200 * MiB }])).toMatchObject(
      { why: "unreached", message: expect.stringContaining("no guest agent") },
    );
    expect(
      disk([begun, { atMs: 30_000, begun: { refusal: "By policy." } }]),
    ).toMatchObject({
      why: "unreached",
      message: "The steps couldn't be begun within 30 s: By policy.",
    });
    // Taken once, it has all the time that an installation has.
    expect(
      disk([inside, { ...inside, atMs: 31_000, diskBytes: 200 * MiB }]),
    ).toMatchObject({ kind: "going" });
  });
});
