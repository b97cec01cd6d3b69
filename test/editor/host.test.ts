import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { endings } from "./harness/endings.ts";
import { openHouse, smallMachines } from "./harness/house.ts";
import { runHostTests } from "./harness/hostTests.ts";
import { packSmallExtension } from "./harness/smallExtension.ts";
import { writeSshExtension } from "./harness/sshExtension.ts";

/*
 * The suite in host/ runs once, inside a real extension host; each of its tests is then told here as one of vitest's,
 * so that it is counted and named like any other.
 */
const entry = fileURLToPath(new URL("host/index.ts", import.meta.url));
const checkout = fileURLToPath(new URL("../..", import.meta.url));

const atEnd = endings();
const at = await openHouse();
atEnd(at.close);
await at.house.json(["image", "pull", "debian-12"]);
const machine = await at.house.json<Machine>([
  "create",
  "hosted",
  ...["--cpus", String(smallMachines["guesthouse.cpus"])],
  ...["--memory", `${smallMachines["guesthouse.memoryMiB"]}M`],
  "--no-start",
]);

const tests = await runHostTests({
  entry,
  extensionDevelopmentPath: [
    checkout,
    await writeSshExtension(join(at.homeDir, "ssh-extension")),
  ],
  env: {
    ...at.env,
    GUESTHOUSE_TEST_MACHINE: machine.name,
    GUESTHOUSE_TEST_ALIAS: machine.alias,
    GUESTHOUSE_TEST_USER: machine.user,
    GUESTHOUSE_TEST_SSH_CONFIG: at.sshConfigFile,
    GUESTHOUSE_TEST_VSIX: await packSmallExtension(
      join(at.homeDir, "small-extension"),
      "small",
    ),
  },
});

test("the extension host ran the suite", () => {
  expect(tests.length).toBeGreaterThan(0);
});

for (const { title, state, error } of tests)
  test(title, (context) => {
    if (state === "skipped") context.skip("skipped in the extension host");
    expect(error ?? state).toBe("passed");
  });

test("the alias that was opened answers plain ssh", async () => {
  expect(await at.ssh(machine.alias, ["hostname"])).toEqual({
    exitCode: 0,
    stdout: machine.name,
    stderr: "",
  });
});
