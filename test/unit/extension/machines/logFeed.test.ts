import { expect, test } from "vitest";
import { promiseWithResolvers } from "../../../../src/base/deadline.ts";
import { createLogFeed } from "../../../../src/extension/machines/logFeed.ts";

/** A log file as the helper serves it: reads up to its present end, `maxBytes` at a time. */
function served(maxBytes = 1024) {
  let file = Buffer.alloc(0);
  let written = "";
  const gates: (() => Promise<void>)[] = [];
  const feed = createLogFeed({
    read: async (offset) => {
      const size = file.length;
      const piece = file.subarray(offset, Math.min(size, offset + maxBytes));
      await gates.shift()?.();
      return {
        text: piece.toString(),
        nextOffset: offset + piece.length,
        complete: offset + piece.length >= size,
      };
    },
    write: (text) => (written += text),
    restart: () => (written = ""),
  });
  return {
    feed,
    /** Grows the file and answers the notice that tells of it. */
    grow(text: string | Buffer) {
      const offset = file.length;
      const piece = Buffer.from(text);
      file = Buffer.concat([file, piece]);
      return { offset, text: piece.toString() };
    },
    rotate: () => void (file = Buffer.alloc(0)),
    /** The next read answers only when the returned function is called. */
    holdNextRead() {
      const { promise, resolve } = promiseWithResolvers<undefined>();
      gates.push(() => promise);
      return () => resolve(undefined);
    },
    content: () => file.toString(),
    written: () => written,
    settled: () => new Promise((resolve) => setTimeout(resolve, 5)),
  };
}

test("reads a long log in pieces and goes on with notices", async () => {
  const log = served(7);
  log.grow("firmware\nkernel\n");
  await log.feed.catchUp();
  log.feed.onLogged(log.grow("init\n"));
  log.feed.onLogged(log.grow("ready\n"));
  expect(log.written()).toBe(log.content());
});

test("a notice of what was read already adds nothing", async () => {
  const log = served();
  const first = log.grow("one\n");
  const second = log.grow("two\n");
  await log.feed.catchUp();
  log.feed.onLogged(second);
  log.feed.onLogged(log.grow("three\n"));
  expect(log.written()).toBe("one\ntwo\nthree\n");
  expect(first.offset).toBe(0);
});

test("a notice that overlaps a read adds only its new bytes", async () => {
  const log = served();
  log.grow("grüß ");
  await log.feed.catchUp();
  log.feed.onLogged({ offset: 2, text: "üß Gott" });
  log.grow("Gott");
  expect(log.written()).toBe("grüß Gott");
});

test("notices that come during a read keep their order and lose nothing", async () => {
  const log = served();
  log.grow("a");
  const release = log.holdNextRead();
  const reading = log.feed.catchUp();
  log.feed.onLogged(log.grow("b"));
  log.feed.onLogged(log.grow("c"));
  release();
  await reading;
  log.feed.onLogged(log.grow("d"));
  expect(log.written()).toBe("abcd");
});

test("a gap left by a lost connection is read", async () => {
  const log = served();
  log.grow("seen ");
  await log.feed.catchUp();
  log.grow("missed ");
  log.feed.onLogged(log.grow("noticed"));
  await log.settled();
  expect(log.written()).toBe("seen missed noticed");
});

test("catching up again after a lost connection repeats nothing", async () => {
  const log = served();
  log.grow("before ");
  await log.feed.catchUp();
  log.grow("after");
  await log.feed.catchUp();
  await log.feed.catchUp();
  expect(log.written()).toBe("before after");
});

test("a gap that can't be read is skipped, not asked for for ever", async () => {
  const log = served();
  log.feed.onLogged({ offset: 100, text: "late" });
  await log.settled();
  expect(log.written()).toBe("late");
});

test("a log that began anew replaces what was shown", async () => {
  const log = served();
  log.grow("old boot, long enough to be longer than the new one\n");
  await log.feed.catchUp();
  log.rotate();
  log.feed.onLogged(log.grow("new boot\n"));
  log.feed.onLogged(log.grow("kernel\n"));
  expect(log.written()).toBe("new boot\nkernel\n");
});

test("bytes that are no UTF-8 cost no text after them", async () => {
  const log = served();
  await log.feed.catchUp();
  log.feed.onLogged(log.grow(Buffer.from([0x61, 0xff, 0xfe, 0x62])));
  log.feed.onLogged(log.grow("next line\n"));
  log.feed.onLogged(log.grow("and one more\n"));
  expect(log.written()).toBe("a\uFFFD\uFFFDbnext line\nand one more\n");
});
