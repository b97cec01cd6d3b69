import { execa } from "execa";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import type { Image } from "../../src/protocol/images.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { type Ended, type Household, household } from "./household.ts";
import { shape, shapeInFile, warmUp } from "./warmGuests.ts";

let house: Household;
let root: string;
let folder: string;
let prebuilt: Image;

/** Every command leaves its name behind, in the guest, when it runs. */
const leaves = (word: string, more = "true"): string =>
  `echo ${word} >> ~/ran; ${more}`;
const file: Record<string, unknown> = {
  image: "debian-12",
  customizations: { guesthouse: shapeInFile },
  remoteEnv: { TOKEN: "${localEnv:GH_TEST_TOKEN}" },
  onCreateCommand: leaves("onCreate", "sudo touch /usr/local/installed"),
  updateContentCommand: leaves("updateContent", "echo built > built.txt"),
  postCreateCommand: leaves("postCreate"),
};
const put = (change: Record<string, unknown> = {}): Promise<void> =>
  writeFile(
    join(folder, ".devcontainer.json"),
    JSON.stringify(Object.assign(file, change)),
  );
const up = async (
  at: Household,
  folderOf = folder,
  ...flags: string[]
): Promise<CameUp> => at.json<CameUp>(["up", folderOf, ...flags]);
const inside = async (
  at: Household,
  command: string,
  folderOf = folder,
): Promise<string> => {
  const ended: Ended = await at.guesthouse([
    ...["exec", "-C", folderOf, "--", "sh", "-c", command],
  ]);
  if (ended.exitCode !== 0) throw new Error(`${command}: ${ended.stderr}`);
  return ended.stdout.trim();
};
const stagesOf = ({ stages }: CameUp): string[] =>
  stages.map(({ stage }) => stage);
const machines = (): Promise<Machine[]> => house.json<Machine[]>(["list"]);
const prebuilds = async (): Promise<Image[]> =>
  (await house.json<Image[]>(["image", "list"])).filter(
    ({ source }) => source?.kind === "prebuild",
  );
/** What no two machines may share (B1–B4). */
const identity =
  "cat /etc/machine-id; hostname; sudo cat /etc/ssh/ssh_host_ed25519_key.pub; cat /sys/class/net/eth0/address; sudo cat /var/lib/cloud/data/instance-id || true; cat ~/.ssh/authorized_keys | wc -l";

beforeAll(async () => {
  house = await household({
    GH_TEST_TOKEN: "s3cret token",
  });
  await warmUp(house);
  root = await mkdtemp(join(tmpdir(), "project-"));
  folder = join(root, "web");
  await mkdir(folder);
  await execa("git", ["init", "-q", folder]);
  await writeFile(join(folder, "page.txt"), "one\n");
  await put();
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

describe("a prebuild", () => {
  test("a command that fails, or a helper that is killed, leaves its log and no machine, image or scratch (B13, B15)", async () => {
    await put({ updateContentCommand: "echo before the fall; exit 7" });
    const { exitCode, stderr } = await house.guesthouseWithFault(
      "prebuild.packed",
      ["prebuild", folder],
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain("updateContentCommand ended with exit code 7");
    expect(stderr).toContain("make the prebuild again");
    expect(await machines()).toEqual([]);
    await put({
      updateContentCommand: leaves("updateContent", "echo built > built.txt"),
    });
    // The same helper ends once the disk is packed.
    expect((await house.guesthouse(["prebuild", folder])).exitCode).not.toBe(0);
    await house.guesthouse(["daemon", "stop"]);
    expect(await machines()).toEqual([]);
    expect(await prebuilds()).toEqual([]);
    expect(await readdir(join(house.home, "work"))).toEqual([]);
    expect(await readdir(join(house.home, "prebuilding"))).toEqual([]);
  });

  test("is made in a machine of its own and listed as an image", async () => {
    const made = await house.json<{ image: Image; made: boolean }>([
      "prebuild",
      folder,
    ]);
    prebuilt = made.image;
    expect(made.made).toBe(true);
    expect(prebuilt).toMatchObject({
      state: { kind: "ready" },
      source: { kind: "prebuild", title: "web" },
      report: { usable: true },
    });
    expect(
      prebuilt.report?.checks.filter(({ outcome }) => outcome === "warning"),
    ).toEqual([]);
    expect(await machines()).toEqual([]);
    expect((await house.guesthouse(["image", "list"])).stdout).toContain(
      "web, prebuild of debian-12",
    );
    const again = await house.json<{ made: boolean }>(["prebuild", folder]);
    expect(again.made).toBe(false);
  });

  test("up clones it, warm: neither onCreate nor updateContent runs again, the rest does", async () => {
    await house.json(["template", "warm-up", prebuilt.name, ...shape]);
    const came = await up(house);
    expect(came.notes.join()).toContain(`made of ${prebuilt.name}`);
    expect(stagesOf(came)).toEqual([
      "machine",
      "files",
      "environment",
      "postCreateCommand",
    ]);
    expect(
      await inside(
        house,
        "cat ~/ran page.txt built.txt; ls /usr/local/installed; printenv TOKEN",
      ),
    ).toBe(
      "onCreate\nupdateContent\npostCreate\none\nbuilt\n/usr/local/installed\ns3cret token",
    );
    const [listed] = await prebuilds();
    expect(listed?.usedBy).toEqual(["web"]);
    const removal = await house.guesthouse(["image", "delete", prebuilt.name]);
    expect(removal.stderr).toContain("web stands on it");
  });

  test("a second clone is somebody else; with other content updateContent runs again (B1, B4)", async () => {
    const first = await inside(house, identity);
    await house.json(["down", folder, "--delete", "--discard"]);
    await writeFile(join(folder, "page.txt"), "two\n");
    const came = await up(house);
    expect(stagesOf(came)).toContain("updateContentCommand");
    expect(stagesOf(came)).not.toContain("onCreateCommand");
    expect(await inside(house, "cat ~/ran page.txt")).toBe(
      "onCreate\nupdateContent\nupdateContent\npostCreate\ntwo",
    );
    const second = await inside(house, identity);
    const [a, b] = [first.split("\n"), second.split("\n")];
    // Machine id, host key, card; the name is the workspace's again.
    for (const at of [0, 2, 3]) expect([at, a[at]]).not.toEqual([at, b[at]]);
    expect(a[1]).toBe("web");
    expect(b.at(-1)).toBe("1");
  });

  test("exported, it comes in elsewhere and is booted there, by another folder of the same name", async () => {
    const archive = join(root, "web.guesthouse");
    await house.json(["image", "export", prebuilt.name, archive]);
    const other = await household({ GH_TEST_TOKEN: "another" });
    try {
      await other.json(["image", "import", archive]);
      const copy = join(root, "elsewhere", "web");
      await mkdir(join(root, "elsewhere"));
      await execa("cp", ["-r", folder, copy]);
      await writeFile(join(copy, "page.txt"), "one\n");
      const came = await up(other, copy);
      expect(came.notes.join()).toContain("from elsewhere");
      expect(stagesOf(came)).not.toContain("onCreateCommand");
      // Other times, the same content.
      expect(stagesOf(came)).not.toContain("updateContentCommand");
      expect(await inside(other, "cat ~/ran; printenv TOKEN", copy)).toBe(
        "onCreate\nupdateContent\npostCreate\nanother",
      );
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  test("is deleted like any image once nothing stands on it", async () => {
    await house.json(["down", folder, "--delete", "--discard"]);
    await house.json(["image", "delete", prebuilt.name]);
    expect(await prebuilds()).toEqual([]);
  });
});
