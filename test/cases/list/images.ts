/** Cases of an image or a Dockerfile. */
import { define, get, json, server } from "../case.ts";

const base = "mcr.microsoft.com/devcontainers/base:ubuntu";
const file = (value: object): Record<string, string> => ({
  ".devcontainer/devcontainer.json": json(value),
});
const dockerfile = (
  lines: readonly string[],
  value: object = {},
  build: object = {},
): Record<string, string> => ({
  ...file({ build: { dockerfile: "Dockerfile", ...build }, ...value }),
  ".devcontainer/Dockerfile": `${lines.join("\n")}\n`,
});

export const imagesAndBuilds = define(
  {
    name: "args-before-from",
    about: "arguments before FROM, used again after it, from the environment",
    files: dockerfile(
      [
        "ARG TAG=11",
        "ARG REGISTRY=docker.io/library",
        "FROM ${REGISTRY}/debian:${TAG}",
        "ARG TAG",
        "ARG WHO=nobody",
        'RUN echo "$TAG $WHO" > /etc/args',
      ],
      {},
      { args: { TAG: "bookworm-slim", WHO: "${localEnv:CASE_WHO:somebody}" } },
    ),
    localEnv: { CASE_WHO: "me" },
    expected: { files: { "/etc/args": "bookworm-slim me" } },
  },
  {
    name: "stages-target",
    about: "several stages, a target, files of a stage and of an image",
    files: dockerfile(
      [
        "FROM debian:12 AS builder",
        "RUN echo built > /built",
        "FROM debian:12 AS dev",
        "COPY --from=builder /built /opt/built",
        "COPY --from=busybox:1.36 /bin/busybox /opt/busybox",
        "FROM dev AS production",
        "RUN rm /opt/built",
      ],
      {},
      { target: "dev" },
    ),
    expected: {
      files: { "/opt/built": "built" },
      checks: [{ what: "busybox", run: "/opt/busybox echo ok", prints: "ok" }],
    },
  },
  {
    name: "build-mounts",
    about: "cache and bind mounts in RUN",
    files: {
      ...dockerfile(
        [
          "FROM debian:12",
          "RUN --mount=type=cache,target=/var/cache/mine date > /var/cache/mine/date",
          "RUN --mount=type=bind,source=wanted.txt,target=/tmp/wanted.txt cp /tmp/wanted.txt /opt/",
          "RUN --mount=type=tmpfs,target=/scratch touch /scratch/x",
        ],
        {},
        { context: ".." },
      ),
      "wanted.txt": "wanted\n",
    },
    expected: { files: { "/opt/wanted.txt": "wanted" } },
  },
  {
    name: "entrypoint-kept",
    about: "ENTRYPOINT that prepares, overrideCommand false",
    files: {
      ...dockerfile(
        [
          "FROM debian:12",
          "COPY entry.sh /entry.sh",
          'ENTRYPOINT ["/entry.sh"]',
          'CMD ["sleep", "infinity"]',
        ],
        { overrideCommand: false },
      ),
      ".devcontainer/entry.sh":
        '#!/bin/sh\necho prepared > /run/prepared\nexec "$@"\n',
    },
    expected: { files: { "/run/prepared": "prepared" } },
  },
  {
    name: "entrypoint-overridden",
    about: "ENTRYPOINT that ends at once; the command is overridden by default",
    files: dockerfile(["FROM debian:12", 'ENTRYPOINT ["/bin/false"]']),
    expected: {},
  },
  {
    name: "useradd-image",
    about:
      "user made in the Dockerfile, another number than the folder's owner",
    files: dockerfile([
      "FROM debian:12",
      "RUN useradd -m -u 1234 -s /bin/bash dev",
      "USER dev",
    ]),
    expected: {
      user: "dev",
      checks: [
        {
          what: "writes",
          run: "touch written && stat -c %U written",
          prints: "dev",
        },
      ],
    },
  },
  {
    name: "ubuntu-own-user",
    about: "Ubuntu's own user has the number that everybody wants",
    files: file({ image: "ubuntu:24.04", remoteUser: "ubuntu" }),
    expected: {
      user: "ubuntu",
      checks: [
        {
          what: "system",
          run: ". /etc/os-release; echo $ID",
          prints: "ubuntu",
        },
        { what: "writes", run: "touch written" },
      ],
    },
  },
  {
    name: "container-user",
    about: "containerUser and remoteUser differ",
    files: file({
      image: "node:22",
      containerUser: "root",
      remoteUser: "node",
      postCreateCommand: "id -un > /tmp/created-by",
    }),
    expected: {
      user: "node",
      files: { "/tmp/created-by": "node" },
      checks: [
        { what: "process 1", run: "stat -c %U /proc/1", prints: "root" },
      ],
    },
  },
  {
    name: "workspace-mount",
    about: "workspaceMount of a folder inside, workspaceFolder",
    files: {
      ...file({
        image: base,
        workspaceMount:
          "source=${localWorkspaceFolder}/app,target=/srv/app,type=bind,consistency=cached",
        workspaceFolder: "/srv/app",
        postCreateCommand: "cat here.txt > /tmp/seen",
      }),
      "app/here.txt": "here\n",
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/srv/app",
      mounts: ["/srv/app"],
      files: { "/tmp/seen": "here" },
    },
  },
  {
    name: "workspace-mount-name",
    about: "${containerWorkspaceFolder} in mounts and environment",
    files: {
      ...file({
        image: base,
        workspaceFolder: "/home/vscode/${localWorkspaceFolderBasename}",
        workspaceMount:
          "source=${localWorkspaceFolder},target=/home/vscode/${localWorkspaceFolderBasename},type=bind",
        mounts: [
          "type=bind,source=${localWorkspaceFolder}/data,target=${containerWorkspaceFolder}-data",
        ],
        containerEnv: { WHERE: "${containerWorkspaceFolder}" },
        remoteEnv: { BASE: "${containerWorkspaceFolderBasename}" },
      }),
      "data/x": "x\n",
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/home/vscode/workspace-mount-name",
      env: {
        WHERE: "/home/vscode/workspace-mount-name",
        BASE: "workspace-mount-name",
      },
      files: { "/home/vscode/workspace-mount-name-data/x": "x" },
    },
  },
  {
    name: "workspace-subfolder",
    about: "workspaceFolder below the usual place, without a mount of its own",
    files: {
      ...file({
        image: base,
        workspaceFolder: "/workspaces/workspace-subfolder/pkg",
        postCreateCommand: "pwd > /tmp/created-in",
      }),
      "pkg/keep": "",
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspaces/workspace-subfolder/pkg",
      files: { "/tmp/created-in": "/workspaces/workspace-subfolder/pkg" },
    },
  },
  {
    name: "app-port",
    about: "appPort as numbers and pairs",
    files: {
      ...file({
        image: base,
        appPort: [8124, "9125:8125"],
        postStartCommand: "nohup sh serve.sh >/tmp/serve.log 2>&1 </dev/null &",
      }),
      "serve.sh": `(${server(8124, "one")}) &\n${server(8125, "two")}\n`,
    },
    expected: {
      user: "vscode",
      published: { 8124: "one", 9125: "two" },
    },
  },
  {
    name: "legacy-names",
    about:
      "dockerFile, context, settings and extensions of old files, no folder of its own",
    files: {
      ".devcontainer.json": json({
        dockerFile: "Dockerfile.dev",
        context: ".",
        settings: { "editor.tabSize": 3 },
        extensions: ["acme.old"],
        forwardPorts: [3000],
      }),
      "Dockerfile.dev": "FROM debian:bookworm\nCOPY mark.txt /opt/mark.txt\n",
      "mark.txt": "legacy\n",
    },
    expected: {
      files: { "/opt/mark.txt": "legacy" },
      extensions: ["acme.old"],
      settings: { "editor.tabSize": 3 },
      forwardPorts: [3000],
    },
  },
  {
    name: "go-label",
    about: "the image's label asks for init, a capability and no seccomp",
    files: file({ image: "mcr.microsoft.com/devcontainers/go:1.23" }),
    expected: {
      user: "vscode",
      env: { GOPATH: "/go" },
      extensions: ["golang.Go"],
      checks: [
        { what: "go", run: "go version", prints: /go1\.23/ },
        { what: "init", run: "cat /proc/1/comm", prints: "docker-init" },
        {
          what: "no seccomp",
          run: "grep Seccomp: /proc/self/status",
          prints: /0$/,
        },
      ],
    },
  },
  {
    name: "run-args",
    about: "runArgs for name, limits, devices of the container",
    files: file({
      image: "debian:12",
      runArgs: [
        ...["--hostname", "workshop", "--init", "--tmpfs", "/ram"],
        ...["--cap-add=NET_ADMIN", "--memory=512m", "--label=a=b c"],
        ...["--dns-search", "internal.example", "-e", 'QUOTED=it\'s "so"'],
      ],
    }),
    expected: {
      env: { QUOTED: 'it\'s "so"' },
      mounts: ["/ram"],
      checks: [{ what: "host name", run: "hostname", prints: "workshop" }],
    },
  },
  {
    name: "build-options",
    about: "options and cacheFrom of the build; a cache that isn't there",
    files: dockerfile(
      ["FROM debian:12", "RUN grep -q builder /etc/hosts && touch /etc/added"],
      {},
      {
        options: ["--add-host=builder:127.0.0.1", "--label=made=here"],
        cacheFrom: "ghcr.io/acme/no-such:cache",
      },
    ),
    expected: { files: { "/etc/added": "" } },
  },
  {
    name: "server-port",
    about: "a server of postStartCommand in the background, forwarded",
    files: {
      ...file({
        image: "mcr.microsoft.com/devcontainers/javascript-node:22",
        forwardPorts: [3000],
        portsAttributes: { "3000": { label: "Web", onAutoForward: "silent" } },
        postStartCommand: "nohup node server.js >/tmp/log 2>&1 </dev/null &",
      }),
      "server.js":
        "require('http').createServer((_, r) => r.end('node says hi')).listen(3000)\n",
    },
    expected: {
      user: "node",
      forwardPorts: [3000],
      checks: [
        {
          what: "port 3000",
          run: get("localhost", 3000),
          prints: "node says hi",
        },
      ],
    },
  },
  {
    name: "missing-image",
    about: "an image that isn't there",
    files: file({ image: "ghcr.io/acme/no-such:1" }),
    expected: { fails: /no-such/ },
  },
  {
    name: "failing-build",
    about: "a Dockerfile whose step fails",
    files: dockerfile(["FROM debian:12", "RUN echo so it ends; exit 9"]),
    expected: { fails: /build|exit code/i },
  },
);
