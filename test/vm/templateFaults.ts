import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cloneFaults } from "../../src/helper/machines/comeBack.ts";
import { templateFaults } from "../../src/helper/machines/makeTemplate.ts";
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

    test.each(["clone.launched", "clone.continued", "clone.acknowledged"])(
      "kill -9 of QEMU at %s: said so, and the next start is the clone that was asked for",
      async (fault) => {
        const { house, shape } = the();
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

    const warmUp = (): string[] => [
      ...["template", "warm-up", "debian-12", ...the().shape],
    ];
    const nothingIsLeft = async (): Promise<void> => {
      const { house } = the();
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
        const broken = await the().house.guesthouseWithFault(
          fault,
          warmUp(),
          "qemu",
        );
        expect(broken.exitCode).toBe(1);
        expect(broken.stderr).toContain("its QEMU ended unexpectedly");
        await nothingIsLeft();
      },
    );

    test.each(templateFaults)(
      "kill -9 of the helper at %s: nothing is left",
      async (fault) => {
        const broken = await the().house.guesthouseWithFault(fault, warmUp());
        expect(broken.exitCode).not.toBe(0);
        await nothingIsLeft();
      },
    );

    test("after all of this a template is made, and clones resume from it", async () => {
      const { house, shape } = the();
      await house.json(warmUp());
      const machine = await house.json<Machine>(["create", "again", ...shape]);
      expect(machine.runtime?.way).toBe("warm");
      await house.json(["delete", "again"]);
    });
  });
}
