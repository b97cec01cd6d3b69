import { expect, test } from "vitest";
import { Masker } from "../../../../../src/helper/workspaces/guest/mask.ts";

const through = (secrets: string[], ...pieces: string[]): string => {
  const masker = new Masker(secrets);
  return pieces.map((piece) => masker.take(piece)).join("") + masker.end();
};

test("a secret is hidden wherever it stands, however the text is cut", () => {
  const text = "token=hunter2; again hunter2hunter2, hunter, hunt";
  const hidden = "token=***; again ******, hunter, hunt";
  for (let cut = 0; cut <= text.length; cut++)
    expect(through(["hunter2"], text.slice(0, cut), text.slice(cut))).toBe(
      hidden,
    );
  expect(through(["hunter2"], ...Array.from(text))).toBe(hidden);
});

test("of two that begin alike the longer is hidden whole", () => {
  const text = "abcdef abcd abcdeX";
  for (let cut = 0; cut <= text.length; cut++)
    expect(
      through(["abcd", "abcdef"], text.slice(0, cut), text.slice(cut)),
    ).toBe("*** *** ***eX");
});

test("text that can't be part of one is passed on at once", () => {
  const masker = new Masker(["hunter2"]);
  expect(masker.take("Password: ")).toBe("Password: ");
  expect(masker.take("h")).toBe("");
  expect(masker.take("i\n")).toBe("hi\n");
});

test("a secret of several lines is hidden line by line, too", () => {
  const key = "-----BEGIN KEY-----\nMIIabc\n-----END KEY-----\n";
  expect(through([key], key)).toBe("***");
  expect(through([key], "[step] MIIabc\r\n")).toBe("[step] ***\r\n");
});

test("very short ones are not hidden: they are in everything", () => {
  expect(through(["a", ""], "banana")).toBe("banana");
});
