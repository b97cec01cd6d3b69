/** Cases of commands, variables, features and ways to write the file. */
import { define, get, json, server } from "../case.ts";

const base = "mcr.microsoft.com/devcontainers/base:debian";
const marks = "/usr/local/share/feature-marks";
const file = (value: object): Record<string, string> => ({
  ".devcontainer/devcontainer.json": json(value),
});
const leaves = (word: string): string => `echo ${word} >> /tmp/ran`;

export const commandsAndFeatures = define(
  {
    name: "lifecycle-order",
    about: "all commands, as text, list and object",
    files: file({
      image: base,
      initializeCommand: "echo initialize > initialized.txt",
      onCreateCommand: leaves("onCreate"),
      updateContentCommand: ["sh", "-c", leaves("updateContent")],
      postCreateCommand: { one: leaves("postCreate") },
      postStartCommand: leaves("postStart"),
      postAttachCommand: leaves("postAttach"),
    }),
    expected: {
      user: "vscode",
      files: {
        "/tmp/ran":
          "onCreate\nupdateContent\npostCreate\npostStart\npostAttach",
        "initialized.txt": "initialize",
      },
    },
  },
  {
    name: "parallel-object",
    about: "commands of an object run side by side",
    files: file({
      image: base,
      postCreateCommand: {
        one: "touch /tmp/one; timeout 60 sh -c 'until [ -e /tmp/two ]; do sleep 0.2; done'",
        two: [
          "sh",
          "-c",
          "touch /tmp/two; timeout 60 sh -c 'until [ -e /tmp/one ]; do sleep 0.2; done'",
        ],
      },
    }),
    expected: { user: "vscode", files: { "/tmp/one": "", "/tmp/two": "" } },
  },
  {
    name: "endless-attach",
    about: "postAttachCommand is a server that never ends",
    files: {
      ...file({ image: base, postAttachCommand: "sh serve.sh" }),
      "serve.sh": `${server(5050, "attached")}\n`,
    },
    endless: true,
    expected: {
      user: "vscode",
      checks: [
        { what: "port 5050", run: get("localhost", 5050), prints: "attached" },
      ],
    },
  },
  {
    name: "failing-command",
    about: "postCreateCommand fails",
    files: file({ image: base, postCreateCommand: "echo no; exit 7" }),
    expected: { fails: /postCreateCommand/ },
  },
  {
    name: "remote-env",
    about: "environment from the container, the computer, and defaults",
    files: file({
      image: base,
      containerEnv: {
        PLAIN: "one two",
        HASH: 'a#b "c"',
        FROM_HERE: "${localEnv:CASE_HERE}",
      },
      remoteEnv: {
        PATH: "${containerEnv:PATH}:/opt/mine",
        AGAIN: "${containerEnv:PLAIN}!",
        DEFAULT: "${localEnv:CASE_MISSING:instead}",
        EMPTY: "${localEnv:CASE_MISSING}",
      },
      postCreateCommand: 'printf %s "$AGAIN" > /tmp/again',
    }),
    localEnv: { CASE_HERE: "here" },
    expected: {
      user: "vscode",
      env: {
        PLAIN: "one two",
        HASH: 'a#b "c"',
        FROM_HERE: "here",
        PATH: /\/usr\/bin.*:\/opt\/mine/,
        AGAIN: "one two!",
        DEFAULT: "instead",
        EMPTY: "",
      },
      files: { "/tmp/again": "one two!" },
    },
  },
  {
    name: "user-env-probe",
    about: "variables that only the user's shell knows",
    files: {
      ...file({
        build: { dockerfile: "Dockerfile" },
        remoteUser: "vscode",
        userEnvProbe: "loginInteractiveShell",
        postCreateCommand: 'printf %s "$PROBED" > /tmp/probed',
      }),
      ".devcontainer/Dockerfile": `FROM ${base}\nRUN echo 'export PROBED=yes' >> /home/vscode/.bashrc && echo 'export PROFILED=yes' > /etc/profile.d/case.sh\n`,
    },
    expected: {
      user: "vscode",
      env: { PROBED: "yes", PROFILED: "yes" },
      files: { "/tmp/probed": "yes" },
    },
  },
  {
    name: "comments-bom",
    about: "byte order mark, comments, trailing commas, Windows' line ends",
    files: {
      ".devcontainer/devcontainer.json":
        '\uFEFF// For more, see the reference.\r\n{\r\n  "name": "With // in it",\r\n  /* the image */ "image": "mcr.microsoft.com/devcontainers/base:debian",\r\n  // "postCreateCommand": "false",\r\n  "containerEnv": { "URL": "http://x/y", },\r\n}\r\n',
    },
    expected: { user: "vscode", env: { URL: "http://x/y" } },
  },
  {
    name: "loose-types",
    about: "numbers and booleans as texts, and the other way round",
    files: file({
      image: base,
      containerEnv: { NUMBER: "1", TRUTH: "true" },
      forwardPorts: ["3000"],
      features: {
        "ghcr.io/devcontainers/features/node:1": { version: 20 },
        "ghcr.io/devcontainers/features/common-utils:2": {
          installZsh: "false",
        },
      },
    }),
    expected: {
      user: "vscode",
      env: { NUMBER: "1", TRUTH: "true" },
      files: {
        [`${marks}/node`]: /VERSION=20/,
        [`${marks}/common-utils`]: /INSTALLZSH=false/,
      },
    },
  },
  {
    name: "env-numbers",
    about: "a number and a boolean as values of containerEnv, beside a feature",
    files: file({
      image: base,
      containerEnv: { NUMBER: 1, TRUTH: true },
      features: { "ghcr.io/devcontainers/features/git:1": {} },
    }),
    referenceFails:
      "it takes texts only where it builds: “e[r].replace is not a function”",
    expected: { user: "vscode", env: { NUMBER: "1", TRUTH: "true" } },
  },
  {
    name: "empty-feature-tag",
    about: "a feature's name with a colon and no tag",
    files: file({
      image: base,
      features: { "ghcr.io/devcontainers/features/node:": {} },
    }),
    expected: {
      user: "vscode",
      files: { [`${marks}/node`]: /VERSION=lts/ },
    },
  },
  {
    name: "old-feature-names",
    about: "short names of features, a text as the version",
    files: file({
      image: base,
      features: { golang: "1.22", "github-cli": "latest", node: "lts" },
    }),
    expected: {
      user: "vscode",
      files: {
        [`${marks}/go`]: /VERSION=1\.22/,
        [`${marks}/github-cli`]: /VERSION=latest/,
        [`${marks}/node`]: /VERSION=lts/,
      },
      env: { GOROOT: "/usr/local/go" },
    },
  },
  {
    name: "feature-order",
    about: "order of features, options, a feature of the folder",
    files: {
      ...file({
        image: "debian:12",
        features: {
          "./mine": { greeting: "hello there" },
          "ghcr.io/devcontainers/features/git:1": { ppa: false },
          "ghcr.io/devcontainers/features/common-utils:2": {
            username: "dev",
          },
        },
        overrideFeatureInstallOrder: [
          "ghcr.io/devcontainers/features/common-utils",
        ],
        remoteUser: "dev",
      }),
      ".devcontainer/mine/devcontainer-feature.json": json({
        id: "mine",
        version: "1.0.0",
        name: "Mine",
        options: { greeting: { type: "string", default: "hi" } },
        containerEnv: { MINE: "yes" },
        postCreateCommand: "cp /opt/greeting /tmp/greeting",
      }),
      ".devcontainer/mine/install.sh": `#!/bin/sh\nset -e\necho "$GREETING, $_REMOTE_USER" > /opt/greeting\nls ${marks} > /opt/before-me\n`,
    },
    expected: {
      user: "dev",
      env: { MINE: "yes" },
      files: {
        "/opt/greeting": "hello there, dev",
        "/tmp/greeting": "hello there, dev",
        "/opt/before-me": /common-utils/,
        [`${marks}/git`]: /PPA=false/,
      },
    },
  },
  {
    name: "docker-outside",
    about: "the host's Docker in the container",
    files: file({
      image: base,
      features: {
        "ghcr.io/devcontainers/features/docker-outside-of-docker:1": {},
      },
    }),
    expected: {
      user: "vscode",
      mounts: ["/run/docker-host.sock"],
      checks: [
        {
          what: "the engine answers",
          run: "sudo curl -s --unix-socket /var/run/docker-host.sock http://d/_ping",
          prints: "OK",
        },
        {
          what: "entrypoint",
          run: `test -s ${marks}/docker-outside-of-docker.started`,
        },
      ],
    },
  },
  {
    name: "docker-socket",
    about: "the host's socket mounted by hand",
    files: file({
      image: base,
      mounts: [
        "source=/var/run/docker.sock,target=/var/run/docker.sock,type=bind",
      ],
    }),
    expected: {
      user: "vscode",
      checks: [
        {
          what: "the engine answers",
          run: "sudo curl -s --unix-socket /var/run/docker.sock http://d/_ping",
          prints: "OK",
        },
      ],
    },
  },
  {
    name: "folder-binds",
    about: "binds of the folder's parts, made by initializeCommand",
    files: file({
      image: base,
      initializeCommand: [
        "sh",
        "-c",
        "mkdir -p .state && echo kept > .state/note",
      ],
      mounts: [
        "source=${localWorkspaceFolder}/.state,target=/opt/state,type=bind",
        {
          source: "${localWorkspaceFolder}/.state/note",
          target: "/opt/note",
          type: "bind",
        },
      ],
    }),
    expected: {
      user: "vscode",
      mounts: ["/opt/state", "/opt/note"],
      files: { "/opt/state/note": "kept", "/opt/note": "kept" },
    },
  },
  {
    name: "host-binds",
    about: "a folder of the computer beside the workspace, read-only",
    files: file({
      image: base,
      mounts: [
        "source=${localEnv:CASE_HOST}${localEnv:CASE_MISSING}/dot,target=/home/vscode/.dot,type=bind,readonly",
      ],
    }),
    hostFiles: { "dot/config": "mine\n" },
    expected: {
      user: "vscode",
      files: { "~/.dot/config": "mine" },
      checks: [{ what: "read-only", run: "touch ~/.dot/x", code: 1 }],
    },
  },
  {
    name: "several-configurations",
    about: "one of several configurations",
    files: {
      ".devcontainer/one/devcontainer.json": json({
        image: base,
        containerEnv: { WHICH: "one" },
      }),
      ".devcontainer/two/devcontainer.json": json({
        build: { dockerfile: "Dockerfile", context: "../.." },
        containerEnv: { WHICH: "two" },
      }),
      ".devcontainer/two/Dockerfile": "FROM debian:12\nCOPY root.txt /opt/\n",
      "root.txt": "root\n",
    },
    config: ".devcontainer/two/devcontainer.json",
    expected: { env: { WHICH: "two" }, files: { "/opt/root.txt": "root" } },
  },
  {
    name: "secrets",
    about: "secrets for commands, never in the container",
    files: file({
      image: base,
      secrets: { CASE_TOKEN: { description: "a token" } },
      postCreateCommand: 'printf %s "$CASE_TOKEN" | wc -c > /tmp/length',
    }),
    secrets: { CASE_TOKEN: "s3cret token" },
    expected: {
      user: "vscode",
      env: { CASE_TOKEN: "(not set)" },
      files: { "/tmp/length": "12" },
    },
  },
  {
    name: "dotfiles",
    about: "the user's dotfiles, installed by their script",
    files: file({ image: base }),
    dotfiles: {
      "install.sh": "#!/bin/sh\necho dotted > ~/dotted\n",
      ".mine": "mine\n",
    },
    expected: {
      user: "vscode",
      files: { "~/dotted": "dotted", "~/dotfiles/.mine": "mine" },
    },
  },
);
