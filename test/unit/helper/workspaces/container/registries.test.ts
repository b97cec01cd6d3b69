import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  dockerConfigFor,
  imagesIn,
  registriesOf,
  registryOf,
  wantsCredentials,
} from "../../../../../src/helper/workspaces/container/registries.ts";
import { scratch } from "../../../../fakes/scratch.ts";

test.each([
  ["node:22", "index.docker.io"],
  ["docker.io/library/node", "index.docker.io"],
  ["me/tool@sha256:ab", "index.docker.io"],
  ["ghcr.io/a/b:1", "ghcr.io"],
  ["localhost:5000/x", "localhost:5000"],
  ["localhost/x", "localhost"],
  ["registry.example:8443/a", "registry.example:8443"],
  ["scratch", undefined],
  ["$(reboot)", undefined],
])("%s is of %s", (image, registry) => {
  expect(registryOf(image)).toBe(registry);
});

test("images in a Dockerfile and a Compose file", () => {
  expect(
    imagesIn(
      [
        "# syntax=docker/dockerfile:1",
        "ARG BASE=ghcr.io/acme/base:1",
        "FROM --platform=linux/amd64 node:22 AS build",
        "FROM ${BASE}",
        "COPY --from=quay.io/x/y:2 /a /b",
        "  image: 'registry.example/db:1'",
      ].join("\n"),
    ),
  ).toEqual([
    "docker/dockerfile:1",
    "ghcr.io/acme/base:1",
    "node:22",
    "quay.io/x/y:2",
    "'registry.example/db:1'",
  ]);
});

test("a hostile line costs no time", () => {
  const began = performance.now();
  imagesIn(`COPY ${"--from ".repeat(20_000)}\n`.repeat(20));
  expect(performance.now() - began).toBeLessThan(2_000);
});

describe("registries of a file", () => {
  test("of what it names in its folder, and of nothing else", async () => {
    const folder = join(await scratch(), "project");
    await mkdir(join(folder, ".devcontainer"), { recursive: true });
    await writeFile(
      join(folder, ".devcontainer", "Dockerfile"),
      "FROM ghcr.io/a/b\n",
    );
    await writeFile(
      join(folder, "..", "outside.yml"),
      "image: evil.example/x\n",
    );
    const at = join(folder, ".devcontainer");
    expect(
      await registriesOf(
        {
          build: { dockerfile: "Dockerfile" },
          features: { "ghcr.io/f/g:1": {}, "./own": {} },
        },
        folder,
        at,
      ),
    ).toEqual(["ghcr.io"]);
    expect(
      await registriesOf(
        { dockerComposeFile: ["../../outside.yml", "gone.yml"] },
        folder,
        at,
      ),
    ).toEqual([]);
  });

  test("only what this computer has for them is told, Docker Hub by its address", async () => {
    const asked: string[] = [];
    const { signal } = new AbortController();
    const find = (registry: string) => {
      asked.push(registry);
      return Promise.resolve(
        registry === "https://index.docker.io/v1/"
          ? { username: "me", password: "p" }
          : undefined,
      );
    };
    expect(
      JSON.parse(
        (await dockerConfigFor(["ghcr.io", "index.docker.io"], find, signal)) ??
          "",
      ),
    ).toEqual({
      auths: {
        "https://index.docker.io/v1/": {
          auth: Buffer.from("me:p").toString("base64"),
        },
      },
    });
    expect(asked).toEqual([
      "ghcr.io",
      "index.docker.io",
      "https://index.docker.io/v1/",
    ]);
    expect(await dockerConfigFor(["ghcr.io"], find, signal)).toBeUndefined();
  });
});

test("a registry that wants a name is heard in what is printed", () => {
  expect(
    wantsCredentials([
      "pull access denied for acme/x, repository does not exist",
    ]),
  ).toBe(true);
  expect(wantsCredentials(["failed to authorize: 401 Unauthorized"])).toBe(
    true,
  );
  expect(wantsCredentials(["no space left on device"])).toBe(false);
});
