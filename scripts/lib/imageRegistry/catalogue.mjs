// Which stand-in images there are: which layers and which configuration each has, and which public names and tags it
// answers to. Tags are taken generously, as one tree serves many. Pure: nothing is read or made here.

/**
 * @typedef {object} StandIn
 * @property {string} repository with its public host, `docker.io/library/node`
 * @property {RegExp} [tag] which tags it serves; any without one
 * @property {string[]} layers the lowest first, as layers.sh makes them
 * @property {object} config of an image as OCI defines it: Env, Cmd, Entrypoint, User, Labels, Volumes …
 */

const systemPath =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const path = (more = "") =>
  `PATH=${more === "" ? "" : `${more}:`}${systemPath}`;

/** As images made for development carry it. @param {...object} entries */
const metadata = (...entries) => ({
  "devcontainer.metadata": JSON.stringify(entries),
});
const common = [
  { id: "ghcr.io/devcontainers/features/common-utils:2" },
  { id: "ghcr.io/devcontainers/features/git:1" },
];
const vscode = (/** @type {object} */ customizations) => ({
  customizations: { vscode: customizations },
});

const development = ["base", "tools", "user-vscode"];
const bash = { Env: [path()], Cmd: ["/bin/bash"] };
const nodeConfig = {
  Env: [path(), "NODE_VERSION=18.20.4", "YARN_VERSION=1.22.22"],
  Entrypoint: ["docker-entrypoint.sh"],
  Cmd: ["node"],
};
const pythonConfig = {
  Env: [path("/usr/local/bin"), "LANG=C.UTF-8"],
  Cmd: ["python3"],
};
const nodeForDevelopment = {
  layers: ["base", "tools", "node", "user-node"],
  config: {
    ...nodeConfig,
    Labels: metadata(
      ...common,
      { ...vscode({ extensions: ["dbaeumer.vscode-eslint"] }) },
      { remoteUser: "node" },
    ),
  },
};

/** The first that fits a name serves it. @type {StandIn[]} */
export const standIns = [
  {
    repository: "mcr.microsoft.com/devcontainers/base",
    tag: /alpine/,
    layers: ["alpine", "alpine-vscode"],
    config: {
      Env: [path()],
      Cmd: ["/bin/sh"],
      Labels: metadata(...common, { remoteUser: "vscode" }),
    },
  },
  {
    repository: "mcr.microsoft.com/devcontainers/base",
    tag: /debian|bookworm|bullseye|trixie/,
    layers: development,
    config: { ...bash, Labels: metadata(...common, { remoteUser: "vscode" }) },
  },
  {
    repository: "mcr.microsoft.com/devcontainers/base",
    layers: [...development, "ubuntu-tools"],
    config: { ...bash, Labels: metadata(...common, { remoteUser: "vscode" }) },
  },
  {
    repository: "mcr.microsoft.com/devcontainers/python",
    layers: ["base", "tools", "python", "user-vscode"],
    config: {
      ...pythonConfig,
      Labels: metadata(
        ...common,
        {
          id: "ghcr.io/devcontainers/features/python:1",
          ...vscode({
            extensions: ["ms-python.python", "ms-python.vscode-pylance"],
            settings: {
              "python.defaultInterpreterPath": "/usr/local/bin/python",
            },
          }),
        },
        { remoteUser: "vscode" },
      ),
    },
  },
  ...["javascript-node", "typescript-node"].map((name) => ({
    repository: `mcr.microsoft.com/devcontainers/${name}`,
    ...nodeForDevelopment,
  })),
  {
    repository: "mcr.microsoft.com/devcontainers/go",
    layers: ["base", "tools", "go", "user-vscode"],
    config: {
      Env: [path("/usr/local/go/bin:/go/bin"), "GOPATH=/go"],
      Cmd: ["bash"],
      Labels: metadata(
        ...common,
        {
          init: true,
          capAdd: ["SYS_PTRACE"],
          securityOpt: ["seccomp=unconfined"],
          ...vscode({ extensions: ["golang.Go"] }),
        },
        { remoteUser: "vscode" },
      ),
    },
  },
  {
    repository: "mcr.microsoft.com/devcontainers/universal",
    layers: ["base", "tools", "node", "python", "user-codespace"],
    config: {
      Env: [path("/home/codespace/.local/bin"), "CODESPACES=false"],
      Cmd: ["/bin/bash"],
      User: "codespace",
      Labels: metadata(...common, {
        remoteUser: "codespace",
        containerUser: "codespace",
      }),
    },
  },
  // Any other image for development: the base, whatever its language.
  {
    repository: "mcr.microsoft.com/devcontainers/*",
    layers: development,
    config: { ...bash, Labels: metadata(...common, { remoteUser: "vscode" }) },
  },
  {
    repository: "docker.io/library/debian",
    layers: ["base"],
    config: { Env: [path()], Cmd: ["bash"] },
  },
  {
    repository: "docker.io/library/ubuntu",
    tag: /22\.04|jammy/,
    layers: ["base", "ubuntu-jammy"],
    config: { Env: [path()], Cmd: ["/bin/bash"] },
  },
  {
    repository: "docker.io/library/ubuntu",
    layers: ["base", "ubuntu-noble"],
    config: { Env: [path()], Cmd: ["/bin/bash"] },
  },
  {
    repository: "docker.io/library/alpine",
    layers: ["alpine"],
    config: { Env: [path()], Cmd: ["/bin/sh"] },
  },
  {
    repository: "docker.io/library/busybox",
    layers: ["alpine"],
    config: { Env: [path()], Cmd: ["sh"] },
  },
  {
    repository: "docker.io/library/node",
    tag: /alpine/,
    layers: ["alpine", "alpine-node"],
    config: { Env: [path(), "NODE_VERSION=20.0.0"], Cmd: ["node"] },
  },
  {
    repository: "docker.io/library/node",
    layers: ["base", "tools", "node", "user-node"],
    config: nodeConfig,
  },
  {
    repository: "docker.io/library/python",
    layers: ["base", "tools", "python"],
    config: pythonConfig,
  },
  {
    repository: "docker.io/library/golang",
    layers: ["base", "tools", "go"],
    config: {
      Env: [path("/go/bin:/usr/local/go/bin"), "GOPATH=/go"],
      WorkingDir: "/go",
      Cmd: ["bash"],
    },
  },
  {
    repository: "docker.io/library/postgres",
    layers: ["base", "postgres"],
    config: {
      Env: [
        path("/usr/lib/postgresql/15/bin"),
        "PGDATA=/var/lib/postgresql/data",
        "PG_MAJOR=15",
      ],
      Entrypoint: ["docker-entrypoint.sh"],
      Cmd: ["postgres"],
      ExposedPorts: { "5432/tcp": {} },
      Volumes: { "/var/lib/postgresql/data": {} },
      StopSignal: "SIGINT",
    },
  },
  {
    repository: "docker.io/library/redis",
    layers: ["base", "redis"],
    config: {
      Env: [path()],
      Entrypoint: ["docker-entrypoint.sh"],
      Cmd: ["redis-server"],
      ExposedPorts: { "6379/tcp": {} },
      Volumes: { "/data": {} },
      WorkingDir: "/data",
    },
  },
  {
    repository: "docker.io/docker/dockerfile",
    layers: ["base", "tools", "node", "frontend"],
    config: {
      Env: [path()],
      Entrypoint: ["/usr/bin/node", "/usr/local/bin/dockerfile-frontend.mjs"],
      Labels: {
        "moby.buildkit.frontend.network.none": "true",
        "moby.buildkit.frontend.caps":
          "moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,moby.buildkit.frontend.contexts",
      },
    },
  },
  {
    repository: "ghcr.io/acme/devbox",
    layers: ["base", "tools", "user-dev"],
    config: {
      Env: [path(), "DEVBOX=3"],
      Cmd: ["/usr/local/bin/devbox"],
      ExposedPorts: { "8123/tcp": {} },
      Volumes: { "/var/lib/docker": {} },
    },
  },
  {
    repository: "ghcr.io/acme/private",
    layers: ["base", "tools", "user-dev"],
    config: { Env: [path()], Cmd: ["bash"], User: "dev" },
  },
  {
    repository: "nvcr.io/nvidia/pytorch",
    layers: ["base", "tools", "python", "ubuntu-tools"],
    config: {
      Env: [path(), "NVIDIA_VISIBLE_DEVICES=all", "CUDA_VERSION=12.6.0"],
      WorkingDir: "/workspace",
      Cmd: ["/bin/bash"],
    },
  },
  {
    repository: "quay.io/acme/tools",
    layers: ["base", "tools"],
    config: { Env: [path()], Cmd: ["bash"] },
  },
];

/** Layers that the images are made of, each once. */
export const layerNames = [
  ...new Set(standIns.flatMap(({ layers }) => layers)),
];

/** Names under which Docker Hub is asked. */
const hub = new Set(["registry-1.docker.io", "index.docker.io", "docker.io"]);

/**
 * @param {string} host as asked
 * @param {string} repository
 * @returns {string} as {@link standIns} names it
 */
export const publicName = (host, repository) =>
  `${hub.has(host) ? "docker.io" : host}/${repository}`;

/**
 * @param {string} name a repository with its public host
 * @param {string} tag tags that begin with `no-such` are never there
 * @returns {StandIn | undefined}
 */
export function standInFor(name, tag) {
  if (tag.startsWith("no-such")) return undefined;
  return standIns.find(
    (image) =>
      (image.repository === name ||
        (image.repository.endsWith("/*") &&
          name.startsWith(image.repository.slice(0, -1)) &&
          !name.includes("no-such"))) &&
      (image.tag === undefined || image.tag.test(tag)),
  );
}
