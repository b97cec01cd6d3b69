import { parseLogins } from "../../../../../src/helper/workspaces/guest/environment.ts";
import { execa } from "execa";
import { expect, test } from "vitest";
import {
  assignments,
  featuresEnvironment,
  profileScript,
} from "../../../../../src/helper/workspaces/features/environment.ts";
import {
  hooksOf,
  mergedCustomizations,
} from "../../../../../src/helper/workspaces/features/merge.ts";
import type { FeatureMetadata } from "../../../../../src/helper/workspaces/features/metadata.ts";
import { dueCommands } from "../../../../../src/helper/workspaces/up/due.ts";

const feature = (id: string, metadata: Partial<FeatureMetadata>) => ({
  reference: `./${id}`,
  identity: id,
  metadata: { id, ...metadata },
});

test("containerEnv: each upon those before it, with the forms of a Dockerfile's ENV", () => {
  const features = [
    feature("go", {
      containerEnv: {
        GOROOT: "/usr/local/go",
        PATH: "/usr/local/go/bin:/go/bin:${PATH}",
      },
    }),
    feature("more", {
      containerEnv: {
        PATH: "$PATH:${GOROOT}/more",
        A: "${NONE:-a b}",
        B: "${GOROOT:+set}",
        C: "\\${PATH} $$ ${localEnv:HOME}",
      },
    }),
  ];
  expect(featuresEnvironment(features, { PATH: "/bin" })).toEqual({
    GOROOT: "/usr/local/go",
    PATH: "/usr/local/go/bin:/go/bin:/bin:/usr/local/go/more",
    A: "a b",
    B: "set",
    C: "${PATH} $$ ${localEnv:HOME}",
  });
  expect(featuresEnvironment(features, {})["PATH"]).toContain("/sbin:/bin:");
});

test("a login shell gets the PATH of features back after /etc/profile took it, once", async () => {
  const script = profileScript([
    feature("a", { containerEnv: { PATH: "/it's a/bin:/b/bin:${PATH}" } }),
    feature("c", { containerEnv: { PATH: "${PATH}:/c" } }),
  ]);
  const { stdout } = await execa(
    "/bin/sh",
    ["-c", `${script}\n${script}\necho "$PATH"`],
    { env: { PATH: "/usr/bin" } },
  );
  expect(stdout).toBe("/it's a/bin:/b/bin:/usr/bin:/c");
  expect(profileScript([feature("x", { containerEnv: { A: "b" } })])).toBe("");
});

test("values reach install.sh as they are, whatever a shell would make of them", async () => {
  const nasty = "'; touch /tmp/evil; $(id) `id` \\ \"\n#";
  const { stdout } = await execa("/bin/sh", [
    ...[
      "-c",
      `${assignments({ V: nasty, "A B": "x", "": "y" })}printf %s "$V"`,
    ],
  ]);
  expect(stdout).toBe(nasty);
});

test("/etc/environment as pam_env reads it", () => {
  expect(
    parseLogins(
      "# proxy\nhttp_proxy=\"http://p:1\"\nexport A='b c'\nPATH=/x\n\n",
    ),
  ).toEqual({ http_proxy: "http://p:1", A: "b c", PATH: "/x" });
});

test("customizations: objects by property, arrays as unions, the file last; nothing of guesthouse but the file's", () => {
  const features = [
    feature("a", {
      customizations: {
        vscode: { extensions: ["x.a", "x.b"], settings: { s: 1, t: { u: 1 } } },
        guesthouse: { image: "evil" },
      },
    }),
    feature("b", {
      customizations: {
        vscode: { extensions: ["x.b", "x.c"], settings: { s: 2 } },
      },
    }),
  ];
  const file = {
    customizations: {
      vscode: { settings: { t: { v: 2 } } },
      guesthouse: { cpus: 1 },
    },
  };
  expect(mergedCustomizations(features, file)).toEqual({
    vscode: {
      extensions: ["x.a", "x.b", "x.c"],
      settings: { s: 2, t: { u: 1, v: 2 } },
    },
    guesthouse: { cpus: 1 },
  });
});

test("hooks: the specification's timeline of two features and the user's own", () => {
  const hooks = hooksOf(
    [
      feature("featureA", {
        onCreateCommand: "myOnCreate.sh && myOnCreate2.sh",
        postCreateCommand: "myPostCreate.sh ${localEnv:SECRET:none}",
        postAttachCommand: { command01: "one", command02: "two" },
      }),
      feature("featureB", { postCreateCommand: "/usr/myDir/bundledScript.sh" }),
    ],
    {
      localWorkspaceFolder: "/f",
      devcontainerId: "id",
      localEnv: { SECRET: "s" },
    },
  );
  const file = {
    postCreateCommand: "userPostCreate.sh",
    postAttachCommand: { server: "npm start", db: ["mysql", "-u", "root"] },
  };
  const due = (marks: Record<string, string>): string[] =>
    dueCommands(file, new Map(Object.entries(marks)), "boot", { hooks }).map(
      ({ title, steps }) => `${title} (${String(steps.length)})`,
    );
  const all = [
    "onCreateCommand of the feature ./featureA (1)",
    "postCreateCommand of the feature ./featureA (1)",
    "postCreateCommand of the feature ./featureB (1)",
    "postCreateCommand (1)",
    "postAttachCommand of the feature ./featureA (2)",
    "postAttachCommand (2)",
  ];
  expect(due({})).toEqual(all);
  const [, first] = dueCommands(file, new Map(), "boot", { hooks });
  expect(first?.steps[0]?.argv[2]).toBe("myPostCreate.sh none");
  expect(
    due({
      "onCreateCommand-featureA": "once",
      "postCreateCommand-featureA": "once",
    }),
  ).toEqual(all.slice(2));
});
