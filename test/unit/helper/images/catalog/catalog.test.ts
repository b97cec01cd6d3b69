import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  catalogEntries,
  loadCatalog,
  parseCatalog,
} from "../../../../../src/helper/images/catalog/catalog.ts";
import { debianRecipes } from "../../../../../src/helper/images/catalog/recipes.ts";

const resources = join(import.meta.dirname, "../../../../../resources");

describe("the shipped catalog", async () => {
  const catalog = await loadCatalog(resources);

  it("has the five distributions, and one for containers, for both architectures, over https only", () => {
    expect(catalog.images.map(({ name }) => name)).toEqual([
      "debian-12",
      "debian-13",
      "containers",
      "ubuntu-24.04",
      "fedora-44",
      "alpine-3.24",
    ]);
    for (const { downloads } of catalog.images) {
      expect(downloads.map(({ architecture }) => architecture)).toEqual([
        "amd64",
        "arm64",
      ]);
      for (const { url, checksumUrl } of downloads) {
        expect(url).toMatch(/^https:/);
        expect(checksumUrl).toMatch(/^https:/);
      }
    }
  });

  it("takes every checksum from the publisher of the image", () => {
    const site = (url: string): string =>
      new URL(url).hostname.split(".").slice(-2).join(".");
    for (const { downloads } of catalog.images)
      for (const { url, checksumUrl } of downloads)
        expect(site(checksumUrl)).toBe(site(url));
  });

  it("names the architecture in every file, as its publisher spells it", () => {
    for (const { downloads } of catalog.images)
      for (const { url, architecture } of downloads)
        expect(basename(url)).toMatch(
          architecture === "amd64" ? /amd64|x86_64/ : /arm64|aarch64/,
        );
  });

  it("builds its own images of layers that are there, and prepares a download with the same", () => {
    for (const { recipe, layers = [] } of catalog.images)
      expect(recipe === undefined ? [] : debianRecipes[recipe].layers).toEqual(
        layers,
      );
  });

  it("gives VMs for containers room: a sparse disk of 64 GiB, 2 to 4 GiB of memory", () => {
    const image = catalogEntries(catalog, "amd64").find(
      ({ name }) => name === "containers",
    );
    expect(image?.defaults).toEqual({
      diskGiB: 64,
      memoryMiB: { least: 2048, most: 4096 },
    });
  });

  it("gives plain names to the host's architecture and marks the other one", () => {
    const onArm = catalogEntries(catalog, "arm64");
    expect(onArm.find(({ name }) => name === "debian-12")?.architecture).toBe(
      "arm64",
    );
    const foreign = onArm.find(({ name }) => name === "debian-12-amd64");
    expect(foreign?.architecture).toBe("amd64");
    expect(foreign?.recipe).toBeUndefined();
    expect(new Set(onArm.map(({ name }) => name)).size).toBe(onArm.length);
  });
});

describe("parseCatalog", () => {
  const image = {
    name: "x",
    title: "X",
    family: "debian",
    defaultUser: "x",
    expectedBootSeconds: 1,
    downloads: [
      {
        architecture: "amd64",
        url: "https://example.org/x.qcow2",
        checksumUrl: "https://example.org/SUMS",
        algorithm: "sha256",
        firmware: "bios",
        sizeBytes: 1,
      },
    ],
  };

  it("accepts a well-formed one", () => {
    expect(parseCatalog({ version: 1, images: [image] }).images).toHaveLength(
      1,
    );
  });

  it.each([
    ["an unknown field", { ...image, colour: "red" }],
    ["a name that is no file name", { ...image, name: "../x" }],
    ["no download", { ...image, downloads: [] }],
    [
      "a digest without protection",
      { ...image, downloads: [{ ...image.downloads[0], algorithm: "md5" }] },
    ],
    [
      "a file URL",
      { ...image, downloads: [{ ...image.downloads[0], url: "file:///x" }] },
    ],
    ["a recipe nobody knows", { ...image, recipe: "gentoo" }],
  ])("refuses %s", (_what, wrong) => {
    expect(() => parseCatalog({ version: 1, images: [wrong] })).toThrow();
  });
});
