import { describe, expect, it } from "vitest";
import type { CatalogEntry } from "../../../../../src/helper/images/catalog/catalog.ts";
import {
  type Ledger,
  createLedger,
} from "../../../../../src/helper/images/catalog/ledger.ts";
import type {
  ImageStore,
  StoredImage,
} from "../../../../../src/helper/images/golden/store.ts";
import { failed } from "../../../../../src/protocol/failure.ts";
import type { Image } from "../../../../../src/protocol/images.ts";

const entry = (
  name: string,
  architecture: "amd64" | "arm64",
): CatalogEntry => ({
  name,
  title: name,
  architecture,
  defaultUser: "debian",
  expectedBootSeconds: 20,
  layers: [],
  download: {
    architecture,
    url: "https://example.org/x",
    checksumUrl: "https://example.org/y",
    algorithm: "sha256",
    firmware: "bios",
    sizeBytes: 1,
  },
});

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const stored = (name: string, letter: string, usable = true): StoredImage => ({
  record: {
    version: 1,
    digest: digest(letter),
    name,
    title: name,
    architecture: "amd64",
    source: { kind: "imported", path: "/x", format: "raw" },
    createdAt: "2026-01-01T00:00:00.000Z",
    virtualSizeBytes: 1,
    defaultUser: "guest",
    expectedBootSeconds: 1,
  },
  report: {
    checkedAt: "2026-01-01T00:00:00.000Z",
    usable,
    checks: usable
      ? []
      : [{ id: "x", title: "X", outcome: "error", detail: "It rotted." }],
  },
  sizeBytes: 1,
});

interface Scene {
  readonly ledger: Ledger;
  readonly told: (Image | string)[];
  readonly dropped: string[];
  readonly names: Map<string, string>;
  readonly images: Map<string, StoredImage>;
  readonly users: Map<string, string[]>;
  working: string[];
}

function scene(): Scene {
  const names = new Map<string, string>();
  const images = new Map<string, StoredImage>();
  const dropped: string[] = [];
  const told: (Image | string)[] = [];
  const users = new Map<string, string[]>();
  const store = {
    names: () => names,
    images: () => images,
    drop: (gone: string) => {
      dropped.push(gone);
      images.delete(gone);
      return Promise.resolve(1);
    },
  } satisfies Partial<ImageStore>;
  const all: Scene = {
    told,
    dropped,
    names,
    images,
    users,
    working: [],
    ledger: createLedger({
      architecture: "amd64",
      entries: new Map(
        [entry("debian-12", "amd64"), entry("debian-12-arm64", "arm64")].map(
          (one) => [one.name, one],
        ),
      ),
      store: store as unknown as ImageStore,
      workingOn: (name) =>
        all.working.includes(name)
          ? { kind: "working", stage: "import", sinceMs: 1 }
          : undefined,
      namesWorkedOn: () => all.working,
      usedBy: (of) => users.get(of) ?? [],
      onChanged: (image) => told.push(image),
      onRemoved: (name) => told.push(`${name} removed`),
    }),
  };
  return all;
}

describe("createLedger", () => {
  it("lists this architecture's catalog, what is here and what is under way", () => {
    const { ledger, names, images } = scene();
    images.set(digest("a"), stored("mine", "a"));
    names.set("mine", digest("a"));
    expect(ledger.names()).toEqual(["debian-12", "mine"]);
    expect(ledger.known("debian-12-arm64")).toBe(true);
    expect(ledger.known("nothing")).toBe(false);
  });

  it("shows work before what is here, and what is here before a failure", () => {
    const all = scene();
    const { ledger, names, images } = all;
    const { failure } = failed("images.downloadFailed", "It did not.");
    const state = (): unknown => ledger.recordOf("debian-12").state;
    expect(state()).toEqual({ kind: "available" });
    ledger.setFailure("debian-12", failure);
    expect(state()).toEqual({ kind: "failed", failure });
    images.set(digest("a"), stored("debian-12", "a"));
    names.set("debian-12", digest("a"));
    expect(state()).toEqual({ kind: "ready" });
    all.working = ["debian-12"];
    expect(state()).toMatchObject({ kind: "working" });
    expect(ledger.setFailure("debian-12", undefined)).toBe(true);
    expect(ledger.setFailure("debian-12", undefined)).toBe(false);
  });

  it("shows an image that was found broken as failed, with the reason", () => {
    const { ledger, names, images } = scene();
    images.set(digest("a"), stored("debian-12", "a", false));
    names.set("debian-12", digest("a"));
    expect(ledger.recordOf("debian-12").state).toMatchObject({
      kind: "failed",
      failure: {
        code: "images.broken",
        message: expect.stringContaining("It rotted.") as string,
      },
    });
  });

  it("counts machines on any digest of a name, each once", () => {
    const { ledger, names, images, users } = scene();
    images.set(digest("a"), stored("debian-12", "a"));
    images.set(digest("b"), stored("debian-12", "b"));
    names.set("debian-12", digest("b"));
    users.set(digest("a"), ["web"]);
    users.set(digest("b"), ["web", "api"]);
    expect(ledger.recordOf("debian-12").usedBy).toEqual(["api", "web"]);
  });

  it("drops a superseded digest when nobody uses or holds it, never the current one (B6)", async () => {
    const { ledger, names, images, users, dropped } = scene();
    for (const letter of ["a", "b", "c", "d"])
      images.set(digest(letter), stored("debian-12", letter));
    names.set("debian-12", digest("d"));
    users.set(digest("a"), ["web"]);
    const release = ledger.hold(digest("b"));
    await ledger.dropSuperseded("debian-12");
    expect(dropped).toEqual([digest("c")]);
    await release();
    await release();
    await ledger.dropSuperseded("debian-12");
    expect(dropped).toEqual([digest("c"), digest("b")]);
  });

  it("lets nobody hold what is leaving (B19)", async () => {
    const { ledger } = scene();
    await ledger.whileLeaving([digest("a")], () => {
      expect(ledger.isLeaving(digest("a"))).toBe(true);
      expect(() => ledger.hold(digest("a"))).toThrow(/just being deleted/);
      return Promise.resolve();
    });
    expect(ledger.isLeaving(digest("a"))).toBe(false);
  });

  it("tells whole records, or that there is none any more, with growing revisions", () => {
    const { ledger, told } = scene();
    ledger.tell("debian-12");
    ledger.tell("debian-12");
    ledger.tell("mine");
    const [first, second, last] = told as [Image, Image, string];
    expect(second.revision).toBeGreaterThan(first.revision);
    expect(ledger.recordOf("debian-12")).toEqual(second);
    expect(last).toBe("mine removed");
  });
});
