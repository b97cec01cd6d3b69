import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  decodeAnswer,
  decodeMessage,
  encodeAnswer,
  encodeMessage,
  handoffVersion,
  maxMessageBytes,
  partsOf,
  type HandoffAnswer,
  type HandoffMessage,
} from "../../../../../src/helper/guests/handoff/message.ts";

const whole: HandoffMessage = {
  guesthouse: 1,
  nonce: "ab12",
  hostname: "clone-2",
  machineId: "0123456789abcdef".repeat(2),
  network: {
    mac: "52:54:00:aa:bb:cc",
    address: "10.0.2.16/24",
    gateway: "10.0.2.2",
  },
  user: { name: "dev", authorizedKeys: ["ssh-ed25519 AAAA ümläut\u2028"] },
  hostKey: { private: "-----BEGIN\nEND-----\n", public: "ssh-ed25519 AAAA" },
  timeNs: "1795331689087098624",
  entropy: "AAECAw==",
  proxy: { http: "http://proxy:3128", noProxy: "localhost" },
};

const answers: HandoffAnswer[] = [
  {
    guesthouse: 1,
    nonce: "ab12",
    outcome: "applied",
    applied: ["timeNs", "hostname"],
    failed: [{ what: "user", why: "there is no user dev" }],
    tookMs: 12.5,
    timeNs: "1795331689087098624",
    sshd: true,
  },
  {
    guesthouse: 2,
    nonce: "ab12",
    outcome: "refused",
    reason: "version",
    supports: 2,
  },
  {
    guesthouse: 1,
    nonce: null,
    outcome: "refused",
    reason: "malformed",
    why: "not JSON",
  },
];

describe("the handoff's messages", () => {
  test("B35: a message and the least one survive the way, each as one line", () => {
    for (const message of [whole, { guesthouse: 1, nonce: "n" } as const]) {
      const line = encodeMessage(message).toString();
      expect(line.indexOf("\n")).toBe(line.length - 1);
      expect(decodeMessage(line)).toEqual(message);
    }
  });

  test("B35: every kind of answer survives the way", () => {
    for (const answer of answers)
      expect(decodeAnswer(encodeAnswer(answer).toString())).toEqual(answer);
  });

  test("B35: fields that a later service adds to an answer don't spoil it", () => {
    const [applied] = answers;
    expect(decodeAnswer(JSON.stringify({ ...applied, more: 1 }))).toEqual(
      applied,
    );
  });

  test.each([
    ["no JSON", "{"],
    ["another version", JSON.stringify({ ...whole, guesthouse: 2 })],
    ["no nonce", JSON.stringify({ guesthouse: 1 })],
    ["a short machine id", JSON.stringify({ ...whole, machineId: "0" })],
    ["a time as a number", JSON.stringify({ ...whole, timeNs: 1 })],
  ])("B35: %s is no message", (_, line) => {
    expect(decodeMessage(line)).toBeUndefined();
  });

  test("B35: noise is no answer", () => {
    for (const line of ["", "[]", "null", '{"outcome":"applied"}'])
      expect(decodeAnswer(line)).toBeUndefined();
  });

  test.each([
    ["garbage", "\u0000\u00ff{"],
    ["cut short", JSON.stringify(answers[0]).slice(0, -3)],
    ["the time as a number", { timeNs: 1 }],
    ["a list that is none", { applied: "timeNs" }],
    ["a part without a reason", { failed: [{ what: "user" }] }],
    ["an enormous name", { applied: ["x".repeat(100_000)] }],
    ["an endless list", { applied: Array.from({ length: 100_000 }, () => "") }],
    ["an enormous nonce", { nonce: "x".repeat(100_000) }],
  ])("B35: %s is no answer", (_, change) => {
    const line =
      typeof change === "string"
        ? change
        : JSON.stringify({ ...answers[0], ...change });
    expect(decodeAnswer(line)).toBeUndefined();
  });

  test("B35: an enormous reason is an answer still, and cut", () => {
    const failed = [{ what: "user", why: "y".repeat(100_000) }];
    const answer = decodeAnswer(JSON.stringify({ ...answers[0], failed }));
    expect(answer?.outcome).toBe("applied");
    expect(JSON.stringify(answer).length).toBeLessThan(5_000);
  });

  test("B35: what no guest would take is never sent", () => {
    expect(() => encodeMessage({ ...whole, hostname: "a b" })).toThrow(
      /hostname/,
    );
    expect(() =>
      encodeMessage({
        ...whole,
        user: { name: "dev", authorizedKeys: ["k".repeat(maxMessageBytes)] },
      }),
    ).toThrow(/too long/);
  });

  test("B35: the parts of a message are those that the guest tells of", () => {
    expect(partsOf(whole).sort()).toEqual(
      [
        "entropy",
        "hostKey",
        "hostname",
        "machineId",
        "network",
        "proxy",
        "timeNs",
        "user",
      ].sort(),
    );
  });

  test("B35: both ends carry the same version", async () => {
    const service = await readFile(
      join(
        import.meta.dirname,
        "../../../../../resources/guest/handoff/handoff",
      ),
      "utf8",
    );
    expect(/^VERSION = (\d+)$/m.exec(service)?.[1]).toBe(
      String(handoffVersion),
    );
  });
});
