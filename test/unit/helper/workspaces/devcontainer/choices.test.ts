import { describe, expect, test } from "vitest";
import { stepsOf } from "../../../../../src/helper/workspaces/devcontainer/lifecycleCommands.ts";
import {
  chooseImage,
  engineImage,
} from "../../../../../src/helper/workspaces/devcontainer/image.ts";
import type { Devcontainer } from "../../../../../src/helper/workspaces/devcontainer/model.ts";
import { placeFiles } from "../../../../../src/helper/workspaces/devcontainer/placing.ts";
import {
  containerPorts,
  forwardsOf,
} from "../../../../../src/helper/workspaces/devcontainer/ports.ts";
import {
  bytesOf,
  chooseSize,
} from "../../../../../src/helper/workspaces/devcontainer/size.ts";

const known = [
  "alpine-3.21",
  "debian-12",
  "debian-13",
  "fedora-42",
  "mine",
  "ubuntu-24.04",
];
const choose = (file: Devcontainer, wanted?: string, direct?: boolean) =>
  chooseImage(file, {
    known: [...known, engineImage],
    wanted,
    fallback: "debian-12",
    direct,
  });

describe("the image", () => {
  test("one of ours, by either property; the caller's word goes first", () => {
    expect(choose({})).toEqual({ image: "debian-12" });
    expect(choose({ image: "mine" })).toEqual({ image: "mine" });
    expect(choose({ image: "mine" }, "debian-13").image).toBe("debian-13");
    const both = choose({
      image: "mcr.microsoft.com/devcontainers/base:ubuntu",
      customizations: { guesthouse: { image: "ubuntu-24.04" } },
    });
    expect(both.image).toBe("ubuntu-24.04");
    expect(both.container).toBeUndefined();
    expect(both.note).toMatch(/base:ubuntu” isn't used/);
  });

  test.each<[string, Devcontainer, string]>([
    ["an image", { image: "node:22" }, "image"],
    ["build", { build: { dockerfile: "Dockerfile" } }, "dockerfile"],
    ["the older dockerFile", { dockerFile: "Dockerfile" }, "dockerfile"],
    ["Compose files", { dockerComposeFile: ["a.yml", "b.yml"] }, "compose"],
    [
      "Compose before an image",
      { dockerComposeFile: "a.yml", image: "node:22" },
      "compose",
    ],
  ])("%s: a container in a VM with an engine", (_name, file, container) => {
    expect(choose(file)).toEqual({ image: engineImage, container });
    expect(choose(file, "mine")).toMatchObject({ image: "mine" });
    expect(choose(file, "mine").container).toBeUndefined();
  });

  test.each([
    ["mcr.microsoft.com/devcontainers/base:ubuntu-22.04", "ubuntu-24.04"],
    ["mcr.microsoft.com/devcontainers/python:3.12-bookworm", "debian-12"],
    ["debian:trixie", "debian-13"],
    ["docker.io/library/alpine:3", "alpine-3.21"],
    ["quay.io/fedora/fedora:42", "fedora-42"],
    ["example.org/tool:1", "debian-12"],
  ])("without a container, %s gets %s", (image, nearest) => {
    expect(choose({ image }, undefined, true)).toEqual({
      image: nearest,
      note: expect.stringContaining(image) as string,
    });
    const file = {
      image,
      customizations: { guesthouse: { container: false } },
    };
    expect(choose(file).image).toBe(nearest);
    expect(choose(file, undefined, false).container).toBe("image");
  });

  test("an engine in the VM itself: the image that has one, unless another is named or a container brings it", () => {
    const engine = (file: Devcontainer): Devcontainer => ({
      ...file,
      customizations: {
        guesthouse: { ...file.customizations?.guesthouse, engine: true },
      },
    });
    expect(choose(engine({}))).toEqual({ image: engineImage });
    expect(choose(engine({ image: "mine" }))).toEqual({ image: "mine" });
    expect(choose(engine({ image: "node:22" })).container).toBe("image");
    expect(choose(engine({}), "debian-13").image).toBe("debian-13");
    expect(
      chooseImage(engine({}), { known, fallback: "debian-12" }).image,
    ).toBe("debian-12");
  });

  test("no image has an engine: refused, with both ways out", () => {
    expect(() =>
      chooseImage({ image: "node:22" }, { known, fallback: "debian-12" }),
    ).toThrow(/no image with a container engine/);
  });
});

describe("the size", () => {
  const usual = { cpus: 2, memoryMiB: 2048, diskGiB: 20 };
  const host = { cpus: 8, memoryMiB: 16_384 };
  const size = (file: Devcontainer) => chooseSize(file, usual, host);

  test("units are binary, and a bare number is bytes", () => {
    expect(bytesOf("2gb")).toBe(2 * 1024 ** 3);
    expect(bytesOf("512mb")).toBe(512 * 1024 ** 2);
    expect(bytesOf("1073741824")).toBe(1024 ** 3);
    expect(bytesOf(undefined)).toBe(0);
  });

  test("hostRequirements is the least, customizations.guesthouse is exact", () => {
    expect(size({}).size).toEqual(usual);
    expect(
      size({ hostRequirements: { cpus: 4, memory: "8gb", storage: "64gb" } })
        .size,
    ).toEqual({ cpus: 4, memoryMiB: 8192, diskGiB: 64 });
    expect(
      size({ hostRequirements: { cpus: 1, memory: "1gb", storage: "1gb" } })
        .size,
    ).toEqual(usual);
    expect(
      size({
        hostRequirements: { cpus: 4 },
        customizations: {
          guesthouse: { cpus: 1, memory: "768mb", disk: "10gb" },
        },
      }).size,
    ).toEqual({ cpus: 1, memoryMiB: 768, diskGiB: 10 });
  });

  test("what the host doesn't have is a warning", () => {
    const { size: given, warnings } = size({
      hostRequirements: { cpus: 64, memory: "256gb" },
    });
    expect(given).toMatchObject({ cpus: 8, memoryMiB: 12_288 });
    expect(warnings.map(({ property }) => property)).toEqual([
      "hostRequirements.cpus",
      "hostRequirements.memory",
    ]);
  });
});

describe("the places", () => {
  const place = (file: Devcontainer) => placeFiles("/home/me/web", "web", file);

  test("usual, moved, and a folder below the copy", () => {
    expect(place({})).toEqual({
      source: "/home/me/web",
      target: "/workspaces/web",
      workspaceFolder: "/workspaces/web",
    });
    expect(place({ workspaceFolder: "/workspaces/web/app/" })).toMatchObject({
      target: "/workspaces/web",
      workspaceFolder: "/workspaces/web/app",
    });
    expect(place({ workspaceFolder: "/code" })).toMatchObject({
      target: "/code",
      workspaceFolder: "/code",
    });
    expect(
      place({
        workspaceMount:
          "source=/home/me/web/sub,target=/work,type=bind,consistency=cached",
        workspaceFolder: "/work/src",
      }),
    ).toEqual({
      source: "/home/me/web/sub",
      target: "/work",
      workspaceFolder: "/work/src",
    });
  });

  test.each([
    "source=/home/me/.ssh,target=/work,type=bind",
    "source=/home/me/web/../.ssh,target=/work,type=bind",
    "source=/home/me/web-other,target=/work,type=bind",
    "source=../.ssh,target=/work",
  ])(
    "a mount of something else of the host is refused: %s",
    (workspaceMount) => {
      expect(() => place({ workspaceMount })).toThrow(
        /is not in \/home\/me\/web/,
      );
    },
  );

  test.each(["/", "/etc", "/usr/../etc/", "work", "/a\nb"])(
    "%j is no place for files",
    (workspaceFolder) => {
      expect(() => place({ workspaceFolder })).toThrow(/can't be/);
    },
  );

  test("a folder named like an option stays a path", () => {
    expect(placeFiles("/x/--help", "--help", {}).target).toBe(
      "/workspaces/--help",
    );
  });
});

test("commands: a string for the shell, an array as it is, an object in parallel, empty ones not at all", () => {
  expect(stepsOf("a && b")).toEqual([
    { name: undefined, argv: ["/bin/sh", "-c", "a && b"] },
  ]);
  expect(stepsOf(["echo", "foo='bar'"])).toEqual([
    { name: undefined, argv: ["echo", "foo='bar'"] },
  ]);
  expect(stepsOf({ one: "a", two: ["b"], none: "" })).toEqual([
    { name: "one", argv: ["/bin/sh", "-c", "a"] },
    { name: "two", argv: ["b"] },
  ]);
  expect(stepsOf("  ")).toEqual([]);
  expect(stepsOf(undefined)).toEqual([]);
});

test("ports: of the guest only, each once, from a free port of the host", () => {
  const { forwards, warnings } = forwardsOf({
    forwardPorts: [3000, "localhost:3000", "db:5432", "8080", 22, 0, 9999],
    portsAttributes: { "9000-9999": { onAutoForward: "ignore" } },
    otherPortsAttributes: { onAutoForward: "ignore" },
  });
  expect(forwards).toEqual([
    { hostPort: 0, guestPort: 3000, protocol: "tcp" },
    { hostPort: 0, guestPort: 8080, protocol: "tcp" },
  ]);
  expect(warnings.map(({ property }) => property)).toEqual([
    "forwardPorts[2]",
    "forwardPorts[5]",
    "forwardPorts[6]",
  ]);
});

test("ports of a container and its services: each once, on a number of the VM that nothing there publishes", () => {
  const { forwards, relays, warnings } = containerPorts({
    forwardPorts: [3000, "db:5432", "127.0.0.1:3000", 22, "x y:1", 0, "q:1"],
    portsAttributes: { "q:1": { onAutoForward: "ignore" } },
  });
  expect(relays).toEqual([
    { listen: 61_000, host: "127.0.0.1", port: 3000 },
    { listen: 61_001, host: "db", port: 5432 },
    { listen: 61_002, host: "127.0.0.1", port: 22 },
  ]);
  expect(
    forwards.map(({ guestPort, host, via }) => [guestPort, host, via]),
  ).toEqual([
    [3000, undefined, 61_000],
    [5432, "db", 61_001],
    [22, undefined, 61_002],
  ]);
  expect(warnings.map(({ property }) => property)).toEqual([
    "forwardPorts[4]",
    "forwardPorts[5]",
    "forwardPorts[6]",
  ]);
});
