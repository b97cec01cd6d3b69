import { describe, expect, test } from "vitest";
import {
  aliasFor,
  checkName,
  freeName,
  newMachineId,
} from "../../../../../src/helper/machines/identity/names.ts";
import type { GuesthouseError } from "../../../../../src/protocol/failure.ts";

describe("names of machines (B22)", () => {
  test.each(["web", "a", "web-2", "x".repeat(63)])("%s is fine", (name) => {
    expect(() => checkName(name)).not.toThrow();
  });

  test.each([
    ["", undefined],
    ["Web", "Try “web”."],
    ["-web", "Try “web”."],
    ["a; rm -rf ~", "Try “a-rm-rf”."],
    ["$(id)", "Try “id”."],
    ["../../etc", "Try “etc”."],
    ["x".repeat(64), `Try “${"x".repeat(63)}”.`],
    ["naïve", "Try “na-ve”."],
  ])("%j is refused with a remedy", (name, remedy) => {
    try {
      checkName(name);
      expect.unreachable();
    } catch (error) {
      expect((error as GuesthouseError).failure).toMatchObject({
        kind: "refused",
        code: "machines.nameInvalid",
      });
      expect((error as GuesthouseError).failure.remedy).toBe(remedy);
    }
  });

  test("a taken name gets a number", () => {
    expect(freeName("web", new Set())).toBe("web");
    expect(freeName("web", new Set(["web", "web-2"]))).toBe("web-3");
    expect(aliasFor("web", new Set(["gh-web"]))).toBe("gh-web-2");
  });

  test("10,000 generated ids stay unique", () => {
    const ids = new Set(Array.from({ length: 10_000 }, newMachineId));
    expect(ids.size).toBe(10_000);
    expect([...ids].every((id) => /^[0-9a-f]{12}$/.test(id))).toBe(true);
  });
});
