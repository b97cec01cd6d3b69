import { expect, test } from "vitest";
import {
  layoutNames,
  typingOf,
} from "../../../../src/extension/screen/layouts.ts";

const printableAscii = Array.from({ length: 95 }, (_, index) =>
  String.fromCharCode(32 + index),
).join("");

test.each(layoutNames)("a %s keyboard types every ASCII character", (name) => {
  const { strokes, missing } = typingOf(`${printableAscii}\t\n`, name);
  expect(missing).toEqual([]);
  expect(strokes.length).toBeGreaterThanOrEqual(97);
});

test.each(layoutNames)("no two characters of %s are one press", (name) => {
  const pressed = Array.from(printableAscii).map((character) =>
    JSON.stringify(typingOf(character, name).strokes),
  );
  expect(new Set(pressed).size).toBe(pressed.length);
});

test("the same text is other keys on another layout", () => {
  const codes = (text: string, name: "us" | "de" | "fr"): string[] =>
    typingOf(text, name).strokes.map(
      ({ code, shift, altGraph }) =>
        `${shift === true ? "⇧" : ""}${altGraph === true ? "⌥" : ""}${code}`,
    );
  expect(codes("zy@", "us")).toEqual(["KeyZ", "KeyY", "⇧Digit2"]);
  expect(codes("zy@", "de")).toEqual(["KeyY", "KeyZ", "⌥KeyQ"]);
  expect(codes("a1^", "fr")).toEqual(["KeyQ", "⇧Digit1", "⌥Digit9"]);
});

test("a dead key is made a character by a space", () => {
  expect(typingOf("^", "de").strokes).toEqual([
    { code: "Backquote" },
    { code: "Space" },
  ]);
});

test("lines end by one Enter, whatever the system that they come from", () => {
  expect(typingOf("a\r\nb\rc\n", "us").strokes.map(({ code }) => code)).toEqual(
    ["KeyA", "Enter", "KeyB", "Enter", "KeyC", "Enter"],
  );
});

test("what can't be typed is named, each once", () => {
  expect(typingOf("zażółć żółw 🦊", "us")).toMatchObject({
    missing: ["ż", "ó", "ł", "ć", "🦊"],
  });
  // Composed or not, it is the same letter.
  expect(typingOf("u\u0308", "de").missing).toEqual([]);
});
