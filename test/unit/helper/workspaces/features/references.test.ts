import { describe, expect, test } from "vitest";
import {
  lockPath,
  parseLock,
  renderLock,
} from "../../../../../src/helper/workspaces/features/lock.ts";
import {
  nameOf,
  parseReference,
} from "../../../../../src/helper/workspaces/features/reference.ts";
import { parseChallenge } from "../../../../../src/helper/workspaces/features/ociRegistry.ts";

const digest = `sha256:${"567d704b".repeat(8)}`;

describe("how a feature is named", () => {
  test("by a registry, with and without version, whatever the case of letters", () => {
    expect(parseReference("ghcr.io/user/repo/go")).toEqual({
      kind: "registry",
      registry: "ghcr.io",
      repository: "user/repo/go",
      tag: "latest",
    });
    expect(parseReference("ghcr.io/User/repo1/Go:1.2")).toMatchObject({
      repository: "user/repo1/go",
      tag: "1.2",
    });
    expect(parseReference(`features.azurecr.io/fifth@${digest}`)).toMatchObject(
      { repository: "fifth", digest },
    );
    expect(parseReference("localhost:5000/a/b:1")).toMatchObject({
      registry: "localhost:5000",
    });
    expect(nameOf(parseReference("127.0.0.1:5000/a/b:1"))).toBe(
      "127.0.0.1:5000/a/b",
    );
  });

  test("by an archive's address and by a folder", () => {
    const url =
      "https://github.com/user/repo/releases/devcontainer-feature-go.tgz";
    expect(parseReference(url)).toEqual({ kind: "tarball", url });
    expect(parseReference("http://127.0.0.1:1/x.tgz").kind).toBe("tarball");
    expect(parseReference("./x/../myGoFeature")).toEqual({
      kind: "local",
      path: "myGoFeature",
    });
    expect(nameOf(parseReference("./myGoFeature"))).toBe("./myGoFeature");
    expect(nameOf(parseReference("../shared/f"))).toBe("../shared/f");
  });

  test.each([
    "go",
    "devcontainers/features/go",
    "/etc/feature",
    "http://example.org/x.tgz",
    "https://me:secret@example.org/x.tgz",
    "ghcr.io/a/b:1:2",
    "ghcr.io/a/../b",
    "ghcr.io/a/b@sha256:12",
    "file:///etc/passwd",
    "--help",
    "",
  ])("not as %j", (text) => {
    expect(() => parseReference(text)).toThrow(/can't be found/);
  });
});

describe("the lockfile", () => {
  // The specification's examples.
  const example = {
    features: {
      "ghcr.io/codspace/dependson/a": {
        version: "1.2.1",
        resolved: `ghcr.io/codspace/dependson/a@${digest}`,
        integrity: digest,
        dependsOn: ["ghcr.io/codspace/dependson/e:2"],
      },
      "ghcr.io/codspace/dependson/e:2": {
        version: "2.3.4",
        resolved: `ghcr.io/codspace/dependson/e@${digest}`,
        integrity: digest,
      },
      "https://mycustomdomain.com/devcontainer-feature-myfeature.tgz": {
        version: "1.2.3",
        resolved:
          "https://mycustomdomain.com/devcontainer-feature-myfeature.tgz",
        integrity: digest,
      },
    },
  };

  test("lies beside the configuration, with a dot where that has one", () => {
    expect(lockPath(".devcontainer.json")).toBe(".devcontainer-lock.json");
    expect(lockPath(".devcontainer/devcontainer.json")).toBe(
      ".devcontainer/devcontainer-lock.json",
    );
    expect(lockPath(".devcontainer/go/devcontainer.json")).toBe(
      ".devcontainer/go/devcontainer-lock.json",
    );
  });

  test("is read, and written as the specification's examples are", () => {
    const text = JSON.stringify(example);
    expect([...parseLock(text, "lock").keys()]).toEqual(
      Object.keys(example.features),
    );
    const entries = Object.entries(example.features).map(
      ([reference, entry]) =>
        [
          reference.replace("codspace", "Codspace"),
          { dependsOn: [], ...entry },
        ] as const,
    );
    expect(JSON.parse(renderLock(new Map(entries.reverse())))).toEqual(example);
    expect(renderLock(new Map(entries))).toBe(
      renderLock(new Map(entries.reverse())),
    );
  });

  test("leads to no other feature than it is for", () => {
    const lock = (resolved: string): string =>
      JSON.stringify({
        features: { "ghcr.io/a/b:1": { resolved, integrity: digest } },
      });
    expect(parseLock(lock(`ghcr.io/a/b@${digest}`), "l").size).toBe(1);
    for (const resolved of [
      `ghcr.io/evil/b@${digest}`,
      `ghcr.io/a/b@sha256:${"0".repeat(64)}`,
      "ghcr.io/a/b:1",
    ])
      expect(() => parseLock(lock(resolved), "l")).toThrow(/can't be obeyed/);
    expect(() => parseLock("[", "l")).toThrow(/can't be obeyed/);
  });
});

test("a registry's challenge", () => {
  expect(
    parseChallenge(
      'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull"',
    ),
  ).toEqual({
    realm: "https://ghcr.io/token",
    service: "ghcr.io",
    scope: "repository:a/b:pull",
  });
  expect(parseChallenge('Basic realm="x"')).toBeUndefined();
  expect(parseChallenge(undefined)).toBeUndefined();
});
