import { execa } from "execa";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  composeFacts,
  interpolate,
  readComposeFiles,
} from "../../../../../src/helper/workspaces/devcontainer/composeFiles.ts";
import { scratch } from "../../../../fakes/scratch.ts";

describe("facts of Compose files", () => {
  test("variables: braces, defaults, defaults in defaults, passed on to a service; not those in comments or escaped", () => {
    const { variables } = composeFacts([
      `# \${COMMENT}
services:
  app:
    image: "\${REGISTRY-docker.io}/a:$TAG"
    command: echo $$ESCAPED \${A:-\${B:-x}} \${C:?must be set}
    environment: [PASSED, GIVEN=1, "ODD NAME"]
  db:
    environment: { ALSO: , SET: 1 }
`,
    ]);
    expect(variables).toEqual(
      expect.arrayContaining([
        "REGISTRY",
        "TAG",
        "A",
        "B",
        "C",
        "PASSED",
        "ALSO",
      ]),
    );
    expect(variables).toHaveLength(7);
  });

  test("what anchors and merge keys bring counts", () => {
    const { binds } = composeFacts([
      `x-common: &common
  volumes: ["/srv/a:/a"]
services:
  app:
    <<: *common
`,
    ]);
    expect(binds).toEqual([
      {
        ...{ service: "app", source: "/srv/a", target: "/a", readOnly: false },
        base: ".",
      },
    ]);
  });

  test("networks and volumes that Compose expects to be there are named, its own are not", () => {
    expect(
      composeFacts([
        `services: {}
networks:
  default: { name: shared, external: true }
  old: { external: { name: older } }
  own: {}
  none:
volumes:
  cache: { external: true }
  data: { external: false, name: x }
`,
      ]),
    ).toMatchObject({
      externalNetworks: ["shared", "older"],
      externalVolumes: ["cache"],
    });
  });

  test.each([
    ["nothing", ""],
    ["no YAML", "services: [\n\t}"],
    ["no Compose file", "- 1\n- 2"],
    ["wrong types", "services: { app: 3, db: { volumes: 7, environment: x } }"],
    [
      "a bomb of aliases",
      `a: &a [x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]
services: { app: { volumes: [*d,*d,*d,*d,*d,*d,*d,*d] } }
`,
    ],
  ])("%s is no error: Compose tells of it in the VM", (_, text) => {
    expect(composeFacts([text])).toMatchObject({
      binds: [],
      usesHostGateway: false,
    });
  });

  test("nothing outside of the folder is read, not by a link either, and a pipe keeps nobody waiting", async () => {
    const folder = await scratch();
    const inside = join(folder, "project");
    await mkdir(inside);
    const text = "services: { app: { image: $SECRET } }";
    await writeFile(join(folder, "outside.yml"), text);
    await symlink("../outside.yml", join(inside, "link.yml"));
    await execa("mkfifo", [join(inside, "pipe.yml")]);
    await writeFile(join(inside, "own.yml"), text.replace("SECRET", "OWN"));
    const { variables } = await readComposeFiles(
      ["../outside.yml", "link.yml", "pipe.yml", "missing.yml", "own.yml"],
      inside,
      ".",
    );
    expect(variables).toEqual(["OWN"]);
  });
});

describe("variables in a path", () => {
  const values = { HOME: "/home/me", EMPTY: "", NAME: "n", DOLLAR: "$NAME" };
  test.each([
    ["~/x", "/home/me/x"],
    ["~other/x", "~other/x"],
    ["$HOME/x-$NAME", "/home/me/x-n"],
    ["${HOME}/x", "/home/me/x"],
    ["${MISSING:-~/.ssh}", "/home/me/.ssh"],
    ["${MISSING:-${HOME}/.ssh}/id", "/home/me/.ssh/id"],
    ["${EMPTY:-a}${EMPTY-b}", "a"],
    ["${NAME:+other}${MISSING+none}", "other"],
    ["${NAME:?must be set}", "n"],
    ["$$HOME", "$HOME"],
    ["${DOLLAR}", "$NAME"],
    ["${MISSING}", ""],
    ["${HOME", "/home/me"],
    ["a$", "a$"],
  ])("%s is %s", (text, filled) => {
    expect(interpolate(text, values)).toBe(filled);
  });
});
