import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { templateFaults } from "../../src/helper/machines/warm/makeTemplate.ts";
import { findQemu } from "../../src/helper/qemu/process.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import { type Household, household } from "./household.ts";
import { shape, withoutTemplateCache } from "./warmGuests.ts";

/* Helpers and QEMUs that are killed while a template is made. */

let house: Household;

beforeAll(async () => {
  house = await household(withoutTemplateCache);
  await house.json(["image", "pull", "debian-12"]);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("faults", () => {
  const warmUp = ["template", "warm-up", "debian-12", ...shape];
  const nothingIsLeft = async (): Promise<void> => {
    expect(
      (await house.json<Template[]>(["template", "list"])).filter(
        ({ state }) => state.kind === "ready",
      ),
    ).toEqual([]);
    expect(await readdir(join(house.home, "templates"))).toEqual([]);
    expect(await findQemu(join(house.home, "run", "tmpl-"))).toEqual([]);
    const sockets = await readdir(join(house.home, "run"));
    expect(sockets.filter((name) => name.startsWith("tmpl-"))).toEqual([]);
  };

  test.each(["template.launched", "template.booted"])(
    "kill -9 of a template's QEMU at %s: said so, and nothing is left",
    async (fault) => {
      const broken = await house.guesthouseWithFault(fault, warmUp, "qemu");
      expect(broken.exitCode).toBe(1);
      expect(broken.stderr).toContain("its QEMU ended unexpectedly");
      await nothingIsLeft();
    },
  );

  // What the steps between leave is part of what these two do: a QEMU and its folder, or the saved folder with its layer.
  test.each([templateFaults[0], templateFaults[3]])(
    "kill -9 of the helper at %s: nothing is left",
    async (fault) => {
      const broken = await house.guesthouseWithFault(fault, warmUp);
      expect(broken.exitCode).not.toBe(0);
      await nothingIsLeft();
    },
  );

  test("after all of this a template is made, and clones resume from it", async () => {
    await house.json(warmUp);
    const machine = await house.json<Machine>(["create", "again", ...shape]);
    expect(machine.runtime?.way).toBe("warm");
    await house.json(["delete", "again"]);
  });
});
