import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneFaults } from "../../src/helper/machines/saved/followResume.ts";
import { findQemu } from "../../src/helper/qemu/process.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import { type Household, household } from "./household.ts";
import { shape, warmUp } from "./warmGuests.ts";

/* Helpers and QEMUs that are killed while a clone comes up; a template that doesn't fit. */

let house: Household;
let template: Template;

beforeAll(async () => {
  house = await household();
  template = await warmUp(house);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("faults", () => {
  test.each(cloneFaults)(
    "kill -9 of the helper at %s: nothing is left behind, and the next try resumes (B14, B15)",
    async (fault) => {
      const broken = await house.guesthouseWithFault(fault, [
        ...["create", "struck", ...shape],
      ]);
      expect(broken.exitCode).not.toBe(0);
      const left = await house.json<Machine[]>(["list"]);
      const struck = left.find(({ name }) => name === "struck");
      if (struck === undefined)
        await house.json(["create", "struck", ...shape]);
      else {
        expect(struck.state.kind).toBe("stopped");
        expect(await findQemu(join(house.home, "run", struck.id))).toEqual([]);
        await house.json(["start", "struck"]);
      }
      const machine = await house.machine("struck");
      expect(machine.runtime?.way).toBe("warm");
      const { stdout } = await house.ssh(machine.alias, ["hostname"]);
      expect(stdout.trim()).toBe("struck");
      await house.json(["delete", "struck"]);
    },
  );

  test.each(["clone.launched", "clone.continued", "clone.acknowledged"])(
    "kill -9 of QEMU at %s: said so, and the next start is the clone that was asked for",
    async (fault) => {
      const broken = await house.guesthouseWithFault(
        fault,
        ["create", "struck", ...shape],
        "qemu",
      );
      if (fault === "clone.acknowledged")
        // It may have been told as running just before it died.
        expect([0, 1], broken.stderr).toContain(broken.exitCode);
      else {
        expect(broken.stderr).toMatch(/QEMU[^]*→/);
        expect(broken.exitCode).toBe(1);
      }
      const struck = await house.machine("struck");
      expect(struck.state).toMatchObject({
        kind: "stopped",
        reason: "crashed",
      });
      await house.json(["start", "struck"]);
      const machine = await house.machine("struck");
      // Once the guest had said that it is itself, it boots like any machine that crashed.
      if (fault !== "clone.acknowledged")
        expect(machine.runtime?.way).toBe("warm");
      const { stdout } = await house.ssh(machine.alias, ["hostname"]);
      expect(stdout.trim()).toBe("struck");
      await house.json(["delete", "struck"]);
    },
  );

  test("a template of another machine type is refused by QEMU: the clone boots, the template goes", async () => {
    const path = join(house.home, "templates", template.id, "state");
    const state = await readFile(path);
    const at = state.indexOf("pc-q35-");
    expect(at).toBeGreaterThan(0);
    state.write("pc-q35-0.0", at, "latin1");
    await writeFile(path, state);
    const machine = await house.json<Machine>(["create", "other", ...shape]);
    expect(machine.runtime?.way).toBe("cold");
    expect(await readFile(machine.logPath, "utf8")).toContain(
      "the warm template could not be resumed: booting",
    );
    const { stdout } = await house.ssh(machine.alias, ["hostname"]);
    expect(stdout.trim()).toBe("other");
    expect(await house.json<Template[]>(["template", "list"])).toEqual([]);
    await house.json(["delete", "other"]);
  });
});
