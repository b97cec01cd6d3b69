/** The twelve folders below `folders/`, with what their commands want and the folders haven't got. */
import { define, get, json, server } from "../case.ts";

const marks = "/usr/local/share/feature-marks";
const nodePackage = {
  "package.json": json({ name: "case", version: "1.0.0" }),
  "package-lock.json": json({
    name: "case",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: { "": { name: "case", version: "1.0.0" } },
  }),
};

export const corpus = define(
  {
    name: "01-base-image-features",
    about: "base image, two features, a script after creating, a port",
    folder: "01-base-image-features",
    files: {
      "setup.sh":
        "#!/bin/bash\nset -e\npwd > /tmp/setup-folder\nsetsid sh serve.sh >/dev/null 2>&1 </dev/null &\n",
      "serve.sh": `${server(4000, "four thousand")}\n`,
    },
    expected: {
      user: "vscode",
      files: {
        "/tmp/setup-folder": "/workspaces/01-base-image-features",
        [`${marks}/github-cli`]: /"version": "1\.4\.2"/,
        [`${marks}/docker-in-docker`]: /"version": "2\.3\.1"/,
      },
      mounts: ["/var/lib/docker", "/workspaces/01-base-image-features"],
      checks: [
        { what: "gh", run: "gh", prints: "gh stand-in" },
        {
          what: "the feature's entrypoint",
          run: `test -s ${marks}/docker-in-docker.started`,
        },
        {
          what: "port 4000",
          run: get("localhost", 4000),
          prints: "four thousand",
        },
      ],
      forwardPorts: [4000],
    },
  },
  {
    name: "02-language-image-implicit-user",
    about: "language image whose label names the user",
    folder: "02-language-image-implicit-user",
    files: { "requirements.txt": "# nothing\n" },
    expected: {
      user: "vscode",
      extensions: ["ms-python.python"],
      settings: { "python.defaultInterpreterPath": "/usr/local/bin/python" },
      checks: [
        { what: "python", run: "python --version", prints: /^Python 3/ },
      ],
    },
  },
  {
    name: "03-universal-image",
    about: "universal image, more of a host than there is",
    folder: "03-universal-image",
    expected: { user: "codespace", env: { CODESPACES: "false" } },
  },
  {
    name: "04-foreign-image-privileged",
    about: "foreign image with its own command, privileged, appPort",
    folder: "04-foreign-image-privileged",
    expected: {
      user: "dev",
      env: { EDITOR: "code --wait", DEVBOX: "3" },
      mounts: ["/var/lib/docker"],
      files: { "/run/devbox": "devbox is up" },
      checks: [
        {
          what: "privileged",
          run: "grep CapEff /proc/1/status",
          prints: /ffff$/,
        },
        { what: "init", run: "cat /proc/1/comm", prints: "docker-init" },
      ],
      published: { 9123: "devbox" },
    },
  },
  {
    name: "06-dockerfile-variant-arg",
    about: "Dockerfile with ARG before FROM, legacy settings and extensions",
    folder: "06-dockerfile-variant-arg",
    files: nodePackage,
    expected: {
      user: "node",
      extensions: ["acme.tool", "dbaeumer.vscode-eslint"],
      settings: { "terminal.integrated.shell.linux": "/bin/bash" },
      checks: [
        { what: "node", run: "node --version", prints: /^v18/ },
        { what: "jq", run: "jq -n 1+1", prints: "2" },
      ],
    },
  },
  {
    name: "08-dockerfile-alpine",
    about: "Alpine, with a user added",
    folder: "08-dockerfile-alpine",
    expected: {
      user: "dev",
      checks: [
        { what: "musl", run: "ls /lib/ld-musl-*" },
        { what: "bash", run: "bash -c 'echo $BASH'", prints: "/bin/bash" },
      ],
    },
  },
  {
    name: "10-context-cache-heredoc",
    about: "# syntax, context above, cache mount, heredoc, ADD of an address",
    folder: "10-context-cache-heredoc",
    expected: {
      files: {
        "/etc/one": "one",
        "/etc/two": "two",
        "/usr/share/keyrings/key.asc": /PGP PUBLIC KEY/,
      },
      checks: [
        {
          what: "the copied file's owner",
          run: "stat -c %u /tmp/requirements.txt",
          prints: "1000",
        },
      ],
    },
  },
  {
    name: "12-compose-single",
    about: "compose with one service",
    folder: "12-compose-single",
    expected: {
      workspaceFolder: "/workspace",
      mounts: ["/workspace", "/root/.cache"],
    },
  },
  {
    name: "15-compose-two-files",
    about: "two compose files, env_file, anchors, a port on the loopback",
    folder: "15-compose-two-files",
    files: { "serve.sh": `${server(8080, "api")}\n` },
    expected: {
      workspaceFolder: "/srv/api",
      env: { LOG: "info", TZ: "UTC", TOKEN: "abc" },
      files: { "compose.yml": /x-env/ },
      checks: [
        {
          what: "a server",
          run: "setsid sh serve.sh >/dev/null 2>&1 &",
        },
      ],
      published: { 8080: "api" },
    },
  },
  {
    name: "17-volumes",
    about: "volumes in and beside the workspace, taken over by the user",
    folder: "17-volumes",
    expected: {
      user: "node",
      mounts: ["/workspaces/17-volumes/node_modules", "/commandhistory"],
      checks: [
        {
          what: "owner",
          run: "stat -c %U node_modules /commandhistory | sort -u",
          prints: "node",
        },
      ],
    },
  },
  {
    name: "19-runargs-mix",
    about: "many runArgs",
    folder: "19-runargs-mix",
    needs: "raised-limits",
    expected: {
      env: { A: "b c", FROM_FILE: "1" },
      mounts: ["/go/pkg"],
      checks: [
        {
          what: "host entry",
          run: "grep minio /etc/hosts",
          prints: /^127\.0\.0\.1/,
        },
        { what: "open files", run: "ulimit -n", prints: "500000" },
        {
          what: "shared memory",
          run: "df -m /dev/shm | tail -n 1",
          prints: /1024/,
        },
        {
          what: "no seccomp",
          run: "grep Seccomp: /proc/self/status",
          prints: /0$/,
        },
      ],
    },
  },
  {
    name: "21-gpu",
    about: "GPU asked by runArgs, and optional",
    folder: "21-gpu",
    referenceFails:
      "it passes --gpus on where no GPU is, though it is optional",
    expected: { env: { NVIDIA_VISIBLE_DEVICES: "all" } },
  },
);
