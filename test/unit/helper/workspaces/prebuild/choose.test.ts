import { expect, test } from "vitest";
import { choosePrebuild } from "../../../../../src/helper/workspaces/prebuild/choose.ts";
import type {
  Image,
  PrebuildSource,
} from "../../../../../src/protocol/images.ts";
import { image } from "../../../extension/samples.ts";

const gib = 1024 ** 3;
const prebuild = (
  name: string,
  source: Partial<PrebuildSource>,
  change: Partial<Image> = {},
): Image =>
  image({
    name,
    digest: `sha256:${name}`,
    virtualSizeBytes: 20 * gib,
    source: {
      kind: "prebuild",
      title: "web",
      key: "k",
      fileKey: "f",
      content: "c",
      base: { name: "debian-12", digest: "sha256:base" },
      madeAt: "2026-01-02T03:04:05.000Z",
      workspace: "w",
      ...source,
    },
    ...change,
  });
const choose = (images: Image[], diskGiB = 20) =>
  choosePrebuild([image(), ...images], {
    keys: { key: "k", fileKey: "f" },
    base: "debian-12",
    workspace: "w",
    diskGiB,
  });

test("the newest of the same key is taken, and said with its time", () => {
  const newer = prebuild("newer", { madeAt: "2026-02-02T03:04:05.000Z" });
  expect(choose([prebuild("older", {}), newer])).toMatchObject({
    kind: "fits",
    prebuilt: { image: "newer", digest: "sha256:newer" },
    note: "The VM is made of newer, a prebuild of 2026-02-02 03:04 UTC.",
  });
  // Whoever's folder it was made of.
  expect(choose([prebuild("theirs", { workspace: "other" })]).kind).toBe(
    "fits",
  );
});

test("one that was imported fits on another build of the base image, and where that is not here; one's own doesn't", () => {
  const imported = prebuild("ci", { key: "other", workspace: undefined });
  const note = expect.stringContaining(
    "from elsewhere, on another build of debian-12",
  ) as string;
  expect(choose([imported])).toMatchObject({ kind: "fits", note });
  // Nothing is pulled for it.
  const withoutBase = choosePrebuild([imported], {
    keys: { key: undefined, fileKey: "f" },
    base: "debian-12",
    workspace: "w",
    diskGiB: 20,
  });
  expect(withoutBase).toMatchObject({
    kind: "fits",
    note: expect.stringMatching(/UTC from elsewhere\.$/) as string,
  });
  expect(choose([prebuild("own", { key: "other" })])).toEqual({
    kind: "none",
    note: expect.stringContaining("was made of another debian-12") as string,
  });
});

test("a changed file is said; a folder without a prebuild says nothing", () => {
  expect(choose([prebuild("own", { key: "x", fileKey: "x" })])).toEqual({
    kind: "none",
    note: expect.stringMatching(
      /by another devcontainer\.json.*guesthouse prebuild makes a new one/,
    ) as string,
  });
  const theirs = prebuild("theirs", { key: "x", fileKey: "x", workspace: "o" });
  expect(choose([theirs])).toEqual({ kind: "none" });
});

test("one that is broken, or larger than the wished disk, is left alone", () => {
  const broken = prebuild("p", {}, { state: { kind: "available" } });
  expect(choose([broken])).toEqual({ kind: "none" });
  expect(choose([prebuild("p", {})], 10)).toEqual({
    kind: "none",
    note: expect.stringContaining("20.0 GiB") as string,
  });
});
