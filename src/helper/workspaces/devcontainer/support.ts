/** What becomes of a property. `how` says the difference, the reason, or what is lacking. */
export type Support =
  | { readonly state: "done"; readonly how?: string }
  | { readonly state: "differently"; readonly how: string }
  | {
      readonly state: "notApplicable";
      readonly how: string;
      /** Ignoring it changes nothing that anybody would miss: no warning. */
      readonly silent?: true;
    }
  | { readonly state: "notYet"; readonly how: string };

const done = (how?: string): Support =>
  how === undefined ? { state: "done" } : { state: "done", how };
const differently = (how: string): Support => ({ state: "differently", how });
const notYet = (how: string): Support => ({ state: "notYet", how });
const notApplicable = (how: string): Support => ({
  state: "notApplicable",
  how,
});
const harmless = (how: string): Support => ({
  state: "notApplicable",
  how,
  silent: true,
});

const noContainer =
  "containers are not built; name an image in customizations.guesthouse.image";

/**
 * The one source of what is supported: warnings, the page docs/devcontainer.md and its test come from it. A path is a
 * property's name with the names above it; what is below a path that stands here is the property's own.
 */
export const support: Readonly<Record<string, Support>> = {
  $schema: done(),
  name: done(
    "shown; the VM's name comes from the folder, so that it is stable",
  ),

  image: differently(
    "an image of the catalog or of yours (guesthouse image list); container images are refused, naming the nearest",
  ),
  "build.dockerfile": notYet(noContainer),
  "build.context": notYet(noContainer),
  "build.args": notYet(noContainer),
  "build.target": notYet(noContainer),
  "build.cacheFrom": notYet(noContainer),
  "build.options": notYet(noContainer),
  dockerFile: notYet(noContainer),
  context: notYet(noContainer),
  dockerComposeFile: notYet(noContainer),
  service: notYet(noContainer),
  runServices: notYet(noContainer),

  features: notYet("features are not installed"),
  overrideFeatureInstallOrder: notYet("features are not installed"),

  containerUser: differently(
    "a VM has no user that everything runs as; it stands in for remoteUser where that is missing",
  ),
  remoteUser: done("made, with sudo, when the image has no such user"),
  updateRemoteUserUID: harmless(
    "files are copied and belong to the user in the guest, whatever the numbers",
  ),
  containerEnv: differently(
    "written to /etc/environment: every login and the editor's server see it, services of systemd don't",
  ),
  remoteEnv: differently(
    "given to the lifecycle commands and to guesthouse exec; not yet to the editor's server",
  ),
  userEnvProbe: done(),
  secrets: notYet("recommended secrets are not asked for"),

  workspaceFolder: done("default /workspaces/<name of the folder>"),
  workspaceMount: differently(
    "its source, which must lie in the folder, is copied to its target",
  ),
  mounts: notYet("nothing but the folder reaches the guest"),

  forwardPorts: differently(
    "ports of the guest (not of other hosts) on free ports of the host's loopback, for servers that listen on all addresses; the editor forwards the others",
  ),
  portsAttributes: notYet("labels and actions of ports are not passed on"),
  otherPortsAttributes: notYet("labels and actions of ports are not passed on"),
  appPort: notYet("use forwardPorts"),

  initializeCommand: done(
    "runs on your computer, so only with your consent (--trust); skipped with --skip-initialize",
  ),
  onCreateCommand: done(),
  updateContentCommand: done(),
  postCreateCommand: done(),
  postStartCommand: done("once for each boot of the VM that up sees"),
  postAttachCommand: done("at each up"),
  waitFor: done(
    "for the editor, which opens then; the command line waits for the last command",
  ),

  "hostRequirements.cpus": differently("the VM gets at least so many"),
  "hostRequirements.memory": differently("the VM gets at least so much"),
  "hostRequirements.storage": differently("the VM's disk is at least so large"),
  "hostRequirements.gpu": notYet("the VM has no GPU"),

  init: harmless("a VM has an init system, systemd"),
  privileged: harmless("a VM is a machine of its own: everything is allowed"),
  capAdd: harmless("a VM is a machine of its own: everything is allowed"),
  securityOpt: harmless("a VM is a machine of its own: everything is allowed"),
  runArgs: notApplicable("these are arguments of docker run"),
  overrideCommand: harmless("a VM has no command that could end it"),
  shutdownAction: differently(
    "stopContainer stops the VM a minute after its last ssh connection ended; without it, as with none, it goes on",
  ),

  "customizations.guesthouse.image": done(),
  "customizations.guesthouse.cpus": done(),
  "customizations.guesthouse.memory": done(),
  "customizations.guesthouse.disk": done(),
  "customizations.guesthouse.network": notYet(
    "none is refused, so that nobody relies on it",
  ),
  "customizations.guesthouse.ephemeral": done(
    "deleted a minute after its last ssh connection ended; kept, and stopped, when it holds work that is nowhere else",
  ),
  "customizations.vscode": notYet(
    "extensions and settings are not installed into the guest",
  ),
};

/** Of this very path; undefined where the table has no such property, whatever it is called. */
export const supportOf = (path: string): Support | undefined =>
  Object.hasOwn(support, path) ? support[path] : undefined;

const titles: Readonly<Record<Support["state"], string>> = {
  done: "done",
  differently: "done differently",
  notApplicable: "not applicable",
  notYet: "not yet",
};

/** The page in the documentation, in Markdown. */
export function supportPage(): string {
  const rows = Object.entries(support).map(
    ([path, { state, how }]) =>
      `| \`${path}\` | ${titles[state]} | ${how ?? ""} |`,
  );
  return `# What Guesthouse does with a devcontainer.json

Generated from \`src/helper/workspaces/devcontainer/support.ts\`; change it there.

\`guesthouse up\` reads \`.devcontainer/devcontainer.json\`, \`.devcontainer.json\` or \`.devcontainer/<name>/devcontainer.json\`
(with several, \`--config\` chooses) as the [specification](https://containers.dev/implementors/json_reference/) defines
them. Whatever a file uses of what is _not yet_ done, or of what nobody knows, becomes a warning with the property's path.

| Property | Support | |
| --- | --- | --- |
${rows.join("\n")}

## Variables

\`\${localEnv:NAME}\`, \`\${localEnv:NAME:default}\`, \`\${localWorkspaceFolder}\`, \`\${localWorkspaceFolderBasename}\`,
\`\${containerWorkspaceFolder}\`, \`\${containerWorkspaceFolderBasename}\` and \`\${devcontainerId}\` stand in every value;
\`\${containerEnv:NAME}\` in \`remoteEnv\` only, where it means the guest's environment before \`remoteEnv\`. An unknown variable is
left as it is. Which variables of your computer a file has read is said each time: what it reads, the guest has.

## Lifecycle

Commands run in the workspace's folder, as the remote user, with its environment: a string by \`/bin/sh\`, an array without
a shell, an object's entries in parallel. \`onCreate\`, \`updateContent\` and \`postCreate\` run once in a VM's life, \`postStart\`
once a boot, \`postAttach\` at each \`up\`. A command that fails stops the rest; the VM stays, and the next \`up\` goes on with
the command that failed. All output is kept in the workspace's log.
`;
}
