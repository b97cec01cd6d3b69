// Stand-ins for the published features: metadata as the public ones have it where it matters (privileged, entrypoints,
// mounts, environment, order), and a script that installs nothing but leaves a mark with its version and options.
import { pack } from "tar-stream";

/** Where each feature leaves its mark, by id: `version=…`, its options and `_REMOTE_USER`, a line each. */
export const marksFolder = "/usr/local/share/feature-marks";

/** @param {string[]} names @param {string} value */
const stringOptions = (names, value = "latest") =>
  Object.fromEntries(
    names.map((name) => [name, { type: "string", default: value }]),
  );
const afterCommon = {
  installsAfter: ["ghcr.io/devcontainers/features/common-utils"],
};
const dockerInit = "/usr/local/share/docker-init.sh";

/** Writes an entrypoint that marks its start and goes on with its arguments. */
const writesDockerInit = `cat > ${dockerInit} <<'END'
#!/bin/sh
mkdir -p ${marksFolder}
date > ${marksFolder}/ID.started
exec "$@"
END
chmod +x ${dockerInit}`;

/**
 * Id → metadata without id and version, and what its script does beside the mark (`ID` stands for its id).
 * @type {Record<string, {metadata: object, install?: string}>}
 */
const stubs = {
  "common-utils": {
    metadata: {
      options: {
        installZsh: { type: "boolean", default: true },
        ...stringOptions(["username"], "automatic"),
        ...stringOptions(["userUid", "userGid"], "automatic"),
      },
    },
    // As the real one: makes the user it is told, when there is none.
    install: `case "$USERNAME" in ""|automatic|none|root) ;; *)
if ! grep -q "^$USERNAME:" /etc/passwd && command -v useradd >/dev/null; then useradd -m -s /bin/bash "$USERNAME"; fi ;; esac`,
  },
  git: {
    metadata: {
      options: {
        ...stringOptions(["version"], "os-provided"),
        ppa: { type: "boolean", default: true },
      },
      ...afterCommon,
    },
  },
  "github-cli": {
    metadata: {
      options: stringOptions(["version"]),
      installsAfter: [
        "ghcr.io/devcontainers/features/common-utils",
        "ghcr.io/devcontainers/features/git",
      ],
    },
    install:
      "printf '#!/bin/sh\\necho gh stand-in\\n' > /usr/local/bin/gh; chmod +x /usr/local/bin/gh",
  },
  node: {
    metadata: {
      options: {
        ...stringOptions(["version"], "lts"),
        nodeGypDependencies: { type: "boolean", default: true },
      },
      containerEnv: {
        NVM_DIR: "/usr/local/share/nvm",
        PATH: "/usr/local/share/nvm/current/bin:${PATH}",
      },
      customizations: { vscode: { extensions: ["dbaeumer.vscode-eslint"] } },
      ...afterCommon,
    },
    install: `mkdir -p /usr/local/share/nvm/current/bin
printf '#!/bin/sh\\necho v20.0.0\\n' > /usr/local/share/nvm/current/bin/node; chmod +x /usr/local/share/nvm/current/bin/node`,
  },
  python: {
    metadata: {
      options: {
        ...stringOptions(["version"], "os-provided"),
        installTools: { type: "boolean", default: true },
      },
      containerEnv: { PYTHON_PATH: "/usr/local/python/current" },
      ...afterCommon,
    },
  },
  go: {
    metadata: {
      options: stringOptions(["version"]),
      containerEnv: {
        GOROOT: "/usr/local/go",
        GOPATH: "/go",
        PATH: "/usr/local/go/bin:/go/bin:${PATH}",
      },
      capAdd: ["SYS_PTRACE"],
      securityOpt: ["seccomp=unconfined"],
      ...afterCommon,
    },
  },
  "docker-in-docker": {
    metadata: {
      options: {
        ...stringOptions(["version"]),
        moby: { type: "boolean", default: true },
      },
      entrypoint: dockerInit,
      privileged: true,
      containerEnv: { DOCKER_BUILDKIT: "1" },
      mounts: [
        {
          source: "dind-var-lib-docker-${devcontainerId}",
          target: "/var/lib/docker",
          type: "volume",
        },
      ],
      ...afterCommon,
    },
    install: writesDockerInit,
  },
  "docker-outside-of-docker": {
    metadata: {
      options: {
        ...stringOptions(["version"]),
        moby: { type: "boolean", default: true },
      },
      entrypoint: dockerInit,
      mounts: [
        {
          source: "/var/run/docker.sock",
          target: "/var/run/docker-host.sock",
          type: "bind",
        },
      ],
      securityOpt: ["label=disable"],
      ...afterCommon,
    },
    install: writesDockerInit,
  },
  sshd: {
    metadata: {
      options: stringOptions(["version"]),
      entrypoint: "/usr/local/share/ssh-init.sh",
      ...afterCommon,
    },
    install: writesDockerInit.replaceAll("docker-init", "ssh-init"),
  },
  ...Object.fromEntries(
    [
      ...["aws-cli", "azure-cli", "terraform", "kubectl-helm-minikube"],
      ...["java", "ruby", "rust", "php", "dotnet", "git-lfs", "desktop-lite"],
      ...["conda", "powershell", "nvidia-cuda", "hugo", "anaconda"],
    ].map((id) => [
      id,
      { metadata: { options: stringOptions(["version"]), ...afterCommon } },
    ]),
  ),
};

/** @typedef {{repository: string, tags: string[], metadata: object, install: string}} Feature */

/** @param {string} id @param {string} more */
const script = (id, more) => `#!/bin/sh
set -e
cd "$(dirname "$0")"
mkdir -p ${marksFolder}
{ grep -o '"version": *"[^"]*"' devcontainer-feature.json | head -n 1
env | grep -E '^(VERSION|INSTALLZSH|USERNAME|MOBY|PPA|INSTALLTOOLS|_REMOTE_USER|_CONTAINER_USER)=' | sort; } > ${marksFolder}/${id}
${more.replaceAll("ID", id)}
`;

/**
 * All of them, in both majors that files ask for.
 * @type {Feature[]}
 */
export const features = Object.entries(stubs).flatMap(
  ([id, { metadata, install = "" }]) =>
    ["1.4.2", "2.3.1"].map((version) => {
      const [major, minor] = version.split(".");
      return {
        repository: `ghcr.io/devcontainers/features/${id}`,
        tags: [
          version,
          `${major}.${minor}`,
          `${major}`,
          ...(major === "2" ? ["latest"] : []),
        ],
        metadata: { version, id, name: id, ...metadata },
        install: script(id, install),
      };
    }),
);

/**
 * @param {Pick<Feature, "metadata" | "install">} feature
 * @returns {Promise<Buffer>} its archive, always the same bytes
 */
export async function featureTar({ metadata, install }) {
  const archive = pack();
  const mtime = new Date("2024-09-01T00:00:00Z");
  archive.entry(
    { name: "./devcontainer-feature.json", mtime },
    JSON.stringify(metadata, null, 2),
  );
  archive.entry({ name: "./install.sh", mode: 0o755, mtime }, install);
  archive.finalize();
  const chunks = [];
  for await (const chunk of archive) chunks.push(chunk);
  return Buffer.concat(chunks);
}
