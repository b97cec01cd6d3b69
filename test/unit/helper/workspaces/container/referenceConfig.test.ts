import { describe, expect, test } from "vitest";
import { given } from "../../../../../src/base/given.ts";
import { composeFacts } from "../../../../../src/helper/workspaces/devcontainer/composeFiles.ts";
import { devcontainerSchema } from "../../../../../src/helper/workspaces/devcontainer/model.ts";
import { referenceConfig } from "../../../../../src/helper/workspaces/container/referenceConfig.ts";

const read = (file: unknown, composeText?: string, base?: string) =>
  referenceConfig(
    {
      file: devcontainerSchema.parse(file),
      folder: "/home/me/web",
      ...given({
        compose:
          composeText === undefined
            ? undefined
            : composeFacts([composeText], base),
      }),
    },
    "/workspaces/web",
    {
      localEnv: {
        ...{ HOME: "/home/me", USER: "me", PATH: "/bin" },
        ...{ NODE_ENV: "test", NODE_OPTIONS: "--inspect" },
      },
      devcontainerId: "id1",
    },
  );

describe("what the reference implementation gets", () => {
  test("variables of this computer are filled in, those of the container are left", () => {
    const { file } = read({
      image: "node:22",
      runArgs: ["--name", "${localEnv:USER:anon}-box", "-e", "A=b c"],
      containerEnv: { SRC: "${localWorkspaceFolder}/src" },
      remoteEnv: {
        PATH: "${containerEnv:PATH}:/x",
        IN: "${containerWorkspaceFolder}",
      },
      mounts: ["source=${devcontainerId}-x,target=/x,type=volume"],
    });
    expect(file).toMatchObject({
      runArgs: ["--name", "me-box", "-e", "A=b c"],
      containerEnv: { SRC: "/workspaces/web/src" },
      remoteEnv: {
        PATH: "${containerEnv:PATH}:/x",
        IN: "${containerWorkspaceFolder}",
      },
      mounts: ["source=id1-x,target=/x,type=volume"],
    });
  });

  test("what runs on this computer is not its business", () => {
    expect(
      read({ image: "a", initializeCommand: "touch x" }).file[
        "initializeCommand"
      ],
    ).toBeUndefined();
  });

  test("numbers and booleans stand for strings, null for a variable that isn't set (F22)", () => {
    expect(
      read({
        build: { dockerfile: "Dockerfile", args: { VARIANT: 18, DEBUG: true } },
        containerEnv: { PORT: 3000, CI: false, GONE: null },
        remoteEnv: { N: 1, UNSET: null },
      }).file,
    ).toMatchObject({
      build: { args: { VARIANT: "18", DEBUG: "true" } },
      containerEnv: { PORT: "3000", CI: "false" },
      remoteEnv: { N: "1", UNSET: null },
    });
  });
});

describe("paths of this computer", () => {
  test.each<[string, object]>([
    [
      "a text",
      {
        mounts: ["source=${localEnv:HOME}/.aws,target=/aws,type=bind,readonly"],
      },
    ],
    [
      "an object",
      { mounts: [{ type: "bind", source: "/home/me/.aws", target: "/aws" }] },
    ],
    ["-v", { runArgs: ["-v", "/home/me/.aws:/aws:ro"] }],
    ["--volume=", { runArgs: ["--volume=/home/me/.aws:/aws"] }],
    [
      "--mount",
      { runArgs: ["--mount", "type=bind,src=/home/me/.aws,dst=/aws"] },
    ],
    [
      "workspaceMount",
      {
        workspaceMount: "source=/home/me/.aws,target=/aws,type=bind",
        workspaceFolder: "/aws",
      },
    ],
  ])("%s gets a place in the VM", (_name, part) => {
    const { file, hostPaths } = read({ image: "a", ...part });
    expect(hostPaths).toHaveLength(1);
    const [path] = hostPaths;
    expect(path).toMatchObject({ host: "/home/me/.aws", target: "/aws" });
    expect(path!.guest).toMatch(
      /^\/var\/lib\/guesthouse\/host-paths\/[0-9a-f]{8}-\.aws$/,
    );
    expect(JSON.stringify(file)).toContain(path!.guest);
    expect(JSON.stringify(file)).not.toContain("/home/me/.aws");
  });

  test.each<[string, object]>([
    [
      "the folder itself",
      { mounts: ["source=${localWorkspaceFolder}/cache,target=/c,type=bind"] },
    ],
    ["a volume", { mounts: ["source=web-modules,target=/m,type=volume"] }],
    [
      "a volume without a name",
      { mounts: [{ type: "volume", target: "/var/lib/docker" }] },
    ],
    ["-v of a volume", { runArgs: ["-v", "gomod:/go/pkg"] }],
    [
      "a folder beside the workspace that only looks like it",
      { runArgs: ["-v", "gomod:/workspaces/website"] },
    ],
  ])("%s is none", (_name, part) => {
    expect(read({ image: "a", ...part }).hostPaths).toEqual([]);
  });

  test("one that climbs out of the folder is one", () => {
    expect(
      read({
        image: "a",
        mounts: ["source=${localWorkspaceFolder}/../other,target=/o,type=bind"],
      }).hostPaths,
    ).toMatchObject([{ host: "/workspaces/other" }]);
  });

  test("the engine's socket is the VM's, and that is said", () => {
    const { hostPaths, notes, file } = read({
      image: "a",
      mounts: [
        "source=/var/run/docker.sock,target=/var/run/docker-host.sock,type=bind",
      ],
    });
    expect(hostPaths).toEqual([]);
    expect(notes.join()).toMatch(/run in the VM, not on this computer/);
    expect(JSON.stringify(file)).toContain("source=/var/run/docker.sock");
  });
});

test.each([
  ...["/dev", "/dev/bus/usb", "/sys/fs/cgroup", "/lib/modules"],
  ...["/etc/localtime", "/run/udev", "/var/run/dbus/system_bus_socket"],
])("%s is the VM's own, and that is said", (own) => {
  const { hostPaths, notes, file } = read({
    image: "a",
    runArgs: ["-v", `${own}:${own}:ro`],
  });
  expect(hostPaths).toEqual([]);
  expect(notes.join()).toContain(`the VM's own ${own}`);
  expect(file["runArgs"]).toEqual(["-v", `${own}:${own}:ro`]);
});

test.each(["/device", "/run/user/1000/bus", "/tmp/.X11-unix", "/etc/hosts"])(
  "%s is this computer's",
  (host) => {
    expect(
      read({ image: "a", runArgs: ["-v", `${host}:/x`] }).hostPaths,
    ).toMatchObject([{ host }]);
  },
);

describe("what no VM has", () => {
  test("an optional GPU is left out, with a warning", () => {
    const { file, warnings } = read({
      image: "a",
      hostRequirements: { gpu: "optional" },
      runArgs: ["--gpus", "all", "--ipc=host", "--device=/dev/dri"],
    });
    expect(file["runArgs"]).toEqual(["--ipc=host"]);
    expect(warnings.map(({ message }) => message).join()).toMatch(
      /no GPU.*\/dev\/dri/s,
    );
  });

  test.each<[string, object, RegExp]>([
    ["a GPU", { hostRequirements: { gpu: true } }, /requires a GPU/],
    ["--gpus", { runArgs: ["--gpus=all"] }, /--gpus/],
    [
      "a device",
      { runArgs: ["--device", "/dev/ttyUSB0:/dev/ttyUSB0"] },
      /\/dev\/ttyUSB0/,
    ],
  ])("%s that is needed is refused in words", (_name, part, why) => {
    expect(() => read({ image: "a", ...part })).toThrow(why);
  });

  test("devices that a VM has are kept", () => {
    const runArgs = [
      "--device",
      "/dev/fuse",
      "--device=/dev/net/tun:/dev/net/tun",
    ];
    expect(read({ image: "a", runArgs }).file["runArgs"]).toEqual(runArgs);
  });
});

describe("what Compose gets of this computer", () => {
  const compose = {
    dockerComposeFile: ["a.yml", "b.yml"],
    service: "app",
  };

  test("paths of this computer are replaced by one more file; the folder's own, volumes and the engine's socket are not", () => {
    const {
      file,
      compose: parts,
      hostPaths,
      notes,
    } = read(
      compose,
      `services:
  app:
    volumes:
      - ..:/workspace:cached
      - cache:/cache
      - ~/.aws:/home/vscode/.aws:ro
      - \${SSH_FOLDER:-\${HOME}/.ssh}:/ssh
      - $PWD/data:/data
      - /home/me/web/lib:/lib2
      - /var/run/docker.sock:/var/run/docker.sock
      - { type: bind, source: /srv/models, target: /models, read_only: true }
      - { type: volume, source: models, target: /m }
      - /anonymous
`,
    );
    expect(hostPaths.map(({ host, target }) => [host, target])).toEqual([
      ["/home/me/.aws", "/home/vscode/.aws"],
      ["/home/me/.ssh", "/ssh"],
      ["/srv/models", "/models"],
    ]);
    const [aws, ssh, models] = hostPaths.map(({ guest }) => guest);
    expect(parts?.override).toEqual({
      services: {
        app: {
          volumes: [
            {
              type: "bind",
              source: aws,
              read_only: true,
              target: "/home/vscode/.aws",
            },
            { type: "bind", source: ssh, read_only: false, target: "/ssh" },
            {
              type: "bind",
              source: "/workspaces/web/lib",
              read_only: false,
              target: "/lib2",
            },
            {
              type: "bind",
              source: models,
              read_only: true,
              target: "/models",
            },
          ],
        },
      },
    });
    expect(file["dockerComposeFile"]).toEqual([
      "a.yml",
      "b.yml",
      "/var/lib/guesthouse/host-paths/compose.json",
    ]);
    expect(notes.join()).toContain("the one of the VM");
  });

  test.each([
    ["../..:/workspaces", "the folder that the workspace lies in"],
    ["..:/workspace", "the workspace"],
    ["./init.sql:/init.sql", "a file of it"],
    ["../data/../src:/src", "a folder of it, by a detour"],
  ])("%s is %s: the same in the VM", (volume) => {
    const { hostPaths, compose: parts } = read(
      compose,
      `services: { app: { volumes: ["${volume}"] } }`,
      ".devcontainer",
    );
    expect(hostPaths).toEqual([]);
    expect(parts?.override).toBeUndefined();
  });

  test.each(["../../models", "../../website", "../../../srv/x"])(
    "%s is a path of this computer, beside the workspace",
    (source) => {
      const { hostPaths, compose: parts } = read(
        compose,
        `services: { app: { volumes: ["${source}:/m:ro"] } }`,
        ".devcontainer",
      );
      const [path] = hostPaths;
      expect(path?.host).toMatch(/^\/home\/(?:me\/(?:models|website)|srv\/x)$/);
      expect(parts?.override).toMatchObject({
        services: { app: { volumes: [{ source: path?.guest }] } },
      });
    },
  );

  test("networks and volumes that are to be there are made in the VM", () => {
    const { networks, volumes } = read(
      compose,
      `services: {}
networks: { default: { name: "\${USER}-net", external: true } }
volumes: { cache: { external: true } }
`,
    );
    expect([networks, volumes]).toEqual([["me-net"], ["cache"]]);
    expect(
      read({
        image: "a",
        runArgs: [
          ...["--network", "mine", "--network=host", "--net=container:x"],
          ...["--network=name=other,alias=a", "--network", "bridge"],
        ],
      }).networks,
    ).toEqual(["mine", "other"]);
  });

  test("variables that its files read go along, but for what steers the VM's own programs", () => {
    const { compose: parts, file } = read(
      compose,
      "services: { app: { image: 'a:${TAG:-1}', user: '${USER}', environment: [HOME, PATH, NODE_ENV, NODE_OPTIONS] } }",
    );
    expect(parts).toEqual({
      environment: { USER: "me", NODE_ENV: "test" },
      ...{ networks: [], volumes: [] },
    });
    expect(file["dockerComposeFile"]).toEqual(["a.yml", "b.yml"]);
  });

  test("host-gateway is noticed in Compose files and in runArgs", () => {
    const asks = (file: unknown, text?: string) =>
      read(file, text).usesHostGateway;
    const listed =
      "services: { app: { extra_hosts: ['host.docker.internal:host-gateway'] } }";
    const mapped =
      "services: { app: { extra_hosts: { host.docker.internal: host-gateway } } }";
    expect([asks(compose, listed), asks(compose, mapped)]).toEqual([
      true,
      true,
    ]);
    expect(asks({ image: "a", runArgs: ["--add-host=me:host-gateway"] })).toBe(
      true,
    );
    expect(asks({ image: "a", runArgs: ["--add-host", "me:10.0.0.1"] })).toBe(
      false,
    );
    expect(asks(compose, "services: {}")).toBe(false);
  });
});
