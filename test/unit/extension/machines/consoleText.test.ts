import { expect, test } from "vitest";
import { createConsoleCleaner } from "../../../../src/extension/machines/consoleText.ts";

const whole = (text: string): string => createConsoleCleaner()(text);

const boot = [
  "\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16)\r\n",
  "\x1b[2J\x1b[01;01H\x1b[=3h",
  "[    0.000000] Linux version 6.1\r\n",
  "\x1b[0;32m  OK  \x1b[0m Started \x1b[0;1;39mnetworkd\x1b[0m.\r\n",
  "\x1b]0;guest\x07title\x1b]2;x\x1b\\ gone\r\n",
  "\x1b(Bcharset\r\r\n",
  "10%\r20%\r100%\r\n",
  "t\tab\x00\x08 kept\r\n",
].join("");

const plain = [
  "SeaBIOS (version 1.16)",
  "[    0.000000] Linux version 6.1",
  "  OK   Started networkd.",
  "title gone",
  "charset",
  "10%",
  "20%",
  "100%",
  "t\tab kept",
  "",
].join("\n");

test("a serial console becomes plain lines, and rewritten lines are kept", () => {
  expect(whole(boot)).toBe(plain);
});

test("the same text comes out wherever it is cut", () => {
  for (let cut = 1; cut < boot.length; cut++) {
    const clean = createConsoleCleaner();
    expect(clean(boot.slice(0, cut)) + clean(boot.slice(cut))).toBe(plain);
  }
});

test("the same text comes out character by character", () => {
  const clean = createConsoleCleaner();
  expect(
    Array.from(boot)
      .map((character) => clean(character))
      .join(""),
  ).toBe(plain);
});

test("our own marks pass", () => {
  expect(whole("\n── kernel 1.2 s ──\n")).toBe("\n── kernel 1.2 s ──\n");
});
