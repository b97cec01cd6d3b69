import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type FakeHelper, startFakeHelper } from "../../fakes/helper.ts";

export interface FakeHouse {
  home: string;
  helper: FakeHelper;
}

/** A data folder with a helper in it that answers what the tests around the call tell it to. */
export function fakeHouse(): FakeHouse {
  const house = {} as FakeHouse;
  beforeAll(async () => {
    const manifest = resolve(import.meta.dirname, "../../../package.json");
    const { version } = JSON.parse(await readFile(manifest, "utf8")) as {
      version: string;
    };
    house.home = await mkdtemp(join(tmpdir(), "gh-"));
    house.helper = await startFakeHelper(house.home, version);
  });
  afterAll(async () => {
    await house.helper.close();
    await rm(house.home, { recursive: true, force: true });
  });
  return house;
}
