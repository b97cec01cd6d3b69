import { expect, test } from "vitest";
import { reviewProperties } from "../../../../../src/helper/workspaces/devcontainer/review.ts";
import type { Devcontainer } from "../../../../../src/helper/workspaces/devcontainer/model.ts";
import { localVariables } from "../../../../../src/helper/workspaces/devcontainer/variables.ts";
import { requireConsent } from "../../../../../src/helper/workspaces/up/hostCommand.ts";
import { planWorkspace } from "../../../../../src/helper/workspaces/up/plan.ts";

const configuration = (file: Devcontainer) => ({
  folder: "/home/me/web",
  path: ".devcontainer.json",
  file,
  digest: "d1",
  warnings: reviewProperties(file),
  localVariables: localVariables(file),
});
const plan = (file: Devcontainer) =>
  planWorkspace(configuration(file), {
    localEnv: { USER: "me", TOKEN: "s3cret" },
    images: ["debian-12"],
    wantedImage: undefined,
    defaultImage: "debian-12",
    usual: { cpus: 2, memoryMiB: 2048, diskGiB: 20 },
    host: { cpus: 8, memoryMiB: 16_384 },
  });

test("variables are filled in, those of the guest left for later, and what is read of the host is said", () => {
  const { file, notes, user } = plan({
    remoteUser: "${localEnv:USER}",
    remoteEnv: { A: "${containerEnv:PATH}", B: "${containerWorkspaceFolder}" },
    postCreateCommand: "echo ${localEnv:TOKEN}",
  });
  expect(user).toBe("me");
  expect(file.remoteEnv).toEqual({
    A: "${containerEnv:PATH}",
    B: "/workspaces/web",
  });
  expect(file.postCreateCommand).toBe("echo s3cret");
  expect(notes).toEqual([
    "The file reads these variables of this computer: USER, TOKEN.",
  ]);
});

test("another value on the host, another command or another title is no other machine; another image is", () => {
  const digest = (file: Devcontainer) => plan(file).shapeDigest;
  const one = digest({ image: "debian-12" });
  expect(digest({ image: "debian-12", name: "x", onCreateCommand: "y" })).toBe(
    one,
  );
  expect(digest({})).not.toBe(one);
  expect(digest({ image: "debian-12", forwardPorts: [1] })).not.toBe(one);
});

test("a wall that can't be built is refused, not left out", () => {
  expect(() =>
    plan({ customizations: { guesthouse: { network: "none" } } }),
  ).toThrow(/can't be made yet/);
  expect(() =>
    planWorkspace(
      configuration({
        image: "node:22",
        customizations: { guesthouse: { network: "none" } },
      }),
      {
        localEnv: {},
        images: ["debian-12", "containers"],
        wantedImage: undefined,
        defaultImage: "debian-12",
        usual: { cpus: 2, memoryMiB: 2048, diskGiB: 20 },
        host: { cpus: 8, memoryMiB: 16_384 },
      },
    ),
  ).toThrow(/can't be made yet/);
});

test("an engine is installed where the image has none, and refused where it can't be", () => {
  const engine = (image?: string) =>
    planWorkspace(
      configuration({
        customizations: {
          guesthouse: {
            engine: true,
            ...(image === undefined ? {} : { image }),
          },
        },
      }),
      {
        localEnv: {},
        images: ["debian-12", "containers", "windows-11"],
        guests: {
          "windows-11": { os: "windows", user: "me", diskGiB: 64 },
        },
        wantedImage: undefined,
        defaultImage: "debian-12",
        usual: { cpus: 2, memoryMiB: 2048, diskGiB: 20 },
        host: { cpus: 8, memoryMiB: 16_384 },
      },
    );
  expect(engine().image).toBe("containers");
  expect(engine().engine).toBeUndefined();
  expect(engine("debian-12").engine).toBe(true);
  expect(engine("debian-12").shapeDigest).not.toBe(
    plan({ customizations: { guesthouse: { image: "debian-12" } } })
      .shapeDigest,
  );
  expect(() => engine("windows-11")).toThrow(/can't get a container engine/);
});

test("nothing runs on the host without consent to this very file", () => {
  const file = configuration({
    initializeCommand: ["sh", "-c", "${localEnv:TOKEN}"],
  });
  const consent = (
    initialize: "refuse" | "skip" | "run",
    digest?: string,
  ): void => requireConsent(file, initialize, digest);
  expect(() => consent("refuse")).toThrow(
    /on this computer.*\["sh","-c","\$\{localEnv:TOKEN\}"\]/,
  );
  expect(() => consent("run", "d0")).toThrow(/on this computer/);
  expect(() => consent("run", "d1")).not.toThrow();
  expect(() => consent("skip")).not.toThrow();
  expect(() =>
    requireConsent(configuration({ initializeCommand: {} }), "refuse", "d1"),
  ).not.toThrow();
});

test("a command can't hide from whom it is shown to", () => {
  const file = configuration({
    initializeCommand: "evil\u001b[2K\rharmless\u202e",
  });
  expect(() => requireConsent(file, "refuse", undefined)).toThrow(
    /evil\\u001b\[2K\\u000dharmless\\u202e$/,
  );
});
