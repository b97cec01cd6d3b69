import { expect, test } from "vitest";
import { Frame } from "../../../../src/helper/ssh/frame.ts";

const mark = "0123456789abcdef";
const begin = `${mark}b\n`;
const end = (code: number): string => `\x1e${mark}e${String(code)}\n`;

/** A frame, and what it passed on so far. */
function framed(): { frame: Frame; passed: () => string } {
  const frame = new Frame(mark);
  let text = "";
  frame.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  return { frame, passed: () => text };
}
const soon = () => new Promise((wake) => setTimeout(wake, 20));

test("what a program says is passed on at once, whole: it may wait for an answer", async () => {
  const { frame, passed } = framed();
  frame.write(`noise\n${begin}hello`);
  await soon();
  expect(passed()).toBe("hello");
  frame.write("?");
  await soon();
  expect(passed()).toBe("hello?");
});

test("what only looks like the mark's beginning comes a moment later", async () => {
  const { frame, passed } = framed();
  frame.write(`${begin}a\x1e012`);
  await soon();
  expect(passed()).toBe("a");
  await expect.poll(passed).toBe("a\x1e012");
  frame.write(`x${end(0)}`);
  expect(await frame.code).toBe(0);
  frame.end();
  await frame.drained;
  expect(passed()).toBe("a\x1e012x");
});

test("a mark may come in two pieces, wherever it is cut, and later than it should", async () => {
  const whole = `${begin}out${end(7)}noise`;
  for (let cut = 1; cut < whole.length; cut++) {
    const { frame, passed } = framed();
    frame.write(whole.slice(0, cut));
    await new Promise(setImmediate);
    frame.end(whole.slice(cut));
    expect(await frame.code, String(cut)).toBe(7);
    await frame.drained;
    expect(passed(), String(cut)).toBe("out");
  }
  const { frame } = framed();
  frame.write(`${begin}out${end(7).slice(0, 9)}`);
  await new Promise((wake) => setTimeout(wake, 300));
  frame.write(end(7).slice(9));
  expect(await frame.code).toBe(7);
});

test("output that ends without the mark is passed on to its last byte", async () => {
  const { frame, passed } = framed();
  frame.end(`${begin}a\x1e0`);
  expect(await frame.code).toBeUndefined();
  await frame.drained;
  expect(passed()).toBe("a\x1e0");
});
