import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cloneFaults } from "../../src/helper/machines/comeBack.ts";
import { findQemu } from "../../src/helper/qemu/process.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import type { Household } from "./household.ts";

export interface Warmth {
  readonly house: Household;
  readonly template: Template;
  readonly shape: readonly string[];
}

/** Helpers that are killed while a clone comes up or a template is made; templates that don't fit. */
export function describeTemplateFaults(the: () => Warmth): void {
  describe("faults", () => {
    test.each(cloneFaults)(
      "kill -9 of the helper at %s: nothing is left behind, and the next try resumes (B14, B15)",
      async (fault) => {
        const { house, shape } = the();
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
          expect(await findQemu(join(house.home, "run", struck.id))).toEqual(
            [],
          );
          await house.json(["start", "struck"]);
        }
        const machine = await house.machine("struck");
        expect(machine.runtime?.way).toBe("warm");
        const { stdout } = await house.ssh(machine.alias, ["hostname"]);
        expect(stdout.trim()).toBe("struck");
        await house.json(["delete", "struck"]);
      },
    );

    test("a template of another machine type is refused by QEMU: the clone boots, the template goes", async () => {
      const { house, template, shape } = the();
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

    test("kill -9 of the helper while a template is saved: nothing is left, and the next try makes it", async () => {
      const { house, shape } = the();
      const broken = await house.guesthouseWithFault("template.saved", [
        ...["template", "warm-up", "debian-12", ...shape],
      ]);
      expect(broken.exitCode).not.toBe(0);
      expect(await house.json<Template[]>(["template", "list"])).toEqual([]);
      expect(await readdir(join(house.home, "templates"))).toEqual([]);
      expect(await findQemu(join(house.home, "run", "tmpl-"))).toEqual([]);
      await house.json(["template", "warm-up", "debian-12", ...shape]);
      const machine = await house.json<Machine>(["create", "again", ...shape]);
      expect(machine.runtime?.way).toBe("warm");
      await house.json(["delete", "again"]);
    });
  });
}
