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
  | {
      readonly state: "notYet";
      readonly how: string;
      /** The choice of an image says it: it refuses, or tells what it takes instead. */
      readonly silent?: true;
    };

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

const containerOnly: Support = {
  state: "notApplicable",
  how: "a container in the VM has it; a VM without one (customizations.guesthouse.image, --direct) doesn't",
  silent: true,
};

/**
 * The one source of what is supported: warnings, the page docs/devcontainer.md and its test come from it. A path is a
 * property's name with the names above it; what is below a path that stands here is the property's own.
 */
export const support: Readonly<Record<string, Support>> = {
  $schema: done(),
  name: done(
    "shown; the VM's name comes from the folder, so that it is stable",
  ),
  extends: notYet(
    "the other file is not read (a proposal, no part of the specification); write what it says into this one",
  ),

  image: differently(
    "an image of the catalog or of yours (guesthouse image list); container images are refused, naming the nearest",
  ),
  "build.dockerfile": containerOnly,
  "build.context": containerOnly,
  "build.args": containerOnly,
  "build.target": containerOnly,
  "build.cacheFrom": containerOnly,
  "build.options": containerOnly,
  dockerFile: containerOnly,
  context: containerOnly,
  dockerComposeFile: containerOnly,
  service: containerOnly,
  runServices: containerOnly,

  features: differently(
    "installed in the VM, as root, in the order of the specification; see below",
  ),
  overrideFeatureInstallOrder: done(),

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
    "given to the lifecycle commands, guesthouse exec, the editor's terminals and every login shell that reads /etc/profile.d, from which the editor's server takes the environment of its extensions",
  ),
  userEnvProbe: done(),
  secrets: differently(
    "asked for by the editor, or up --secrets-file; lifecycle commands and dotfiles see them, terminals don't, and they are never written in the guest",
  ),

  workspaceFolder: done("default /workspaces/<name of the folder>"),
  workspaceMount: differently(
    "its source, which must lie in the folder, is copied to its target",
  ),
  mounts: notYet("nothing but the folder reaches the guest"),

  forwardPorts: differently(
    "ports of the guest (not of other hosts) on free ports of the host's loopback, for servers that listen on all addresses; the editor forwards the others",
  ),
  portsAttributes: differently(
    "the guest's machine settings (remote.portsAttributes), for what the editor forwards; label, protocol, requireLocalPort and ignore for forwardPorts, too",
  ),
  otherPortsAttributes: differently(
    "the guest's machine settings (remote.otherPortsAttributes)",
  ),
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
    "stopContainer or stopCompose stops the VM a minute after its last ssh connection ended; without it, as with none, it keeps running",
  ),

  "customizations.guesthouse.image": done(),
  "customizations.guesthouse.cpus": done(),
  "customizations.guesthouse.memory": done(),
  "customizations.guesthouse.disk": done(),
  "customizations.guesthouse.files": done(
    "copy, share or share-readonly; a mount of your folder needs your consent (--files), as the VM may then write to it",
  ),
  "customizations.guesthouse.network": notYet(
    "none is refused, so that nobody relies on it",
  ),
  "customizations.guesthouse.prebuildFiles": done(),
  "customizations.guesthouse.container": done(
    "false: the VM itself, even where the file names a container; the command line has --direct",
  ),
  "customizations.guesthouse.engine": done(
    "the image containers where none is named, else the packages of the image's own distribution",
  ),
  "customizations.guesthouse.screen": done(),
  "customizations.guesthouse.ephemeral": done(
    "deleted a minute after its last ssh connection ended; kept, and stopped, when it holds work that is nowhere else",
  ),
  "customizations.vscode.settings": done(
    "the guest's machine settings; what you change there stays yours. Settings of Guesthouse and of the SSH extension are left out",
  ),
  "customizations.vscode.extensions": done(
    "by the editor, when its window opens in the VM and is trusted",
  ),
  settings: done(
    "the place of customizations.vscode.settings in older files; those go before it",
  ),
  extensions: done(
    "the place of customizations.vscode.extensions in older files; those come after it",
  ),
};

/** Of this very path; undefined where the table has no such property, whatever it is called. */
export const supportOf = (path: string): Support | undefined =>
  Object.hasOwn(support, path) ? support[path] : undefined;

/**
 * What becomes of a property where the file's container is brought up in a VM, as far as it isn't what the reference
 * implementation makes of it, which runs in the VM.
 */
const inContainers: Readonly<Record<string, string>> = {
  extends: "the other file isn't read",
  image: "names of Guesthouse's images mean those",
  remoteEnv: "lifecycle commands, every SSH session, the editor's terminals",
  secrets: "as in a VM: never written in the guest",
  mounts:
    "paths of this computer outside of the folder need a word: --host-paths copy, share-readonly, share or empty; its Docker socket is the VM's engine",
  workspaceMount: "of the folder's copy or share in the VM",
  runArgs:
    "--gpus, --device that no VM has: refused; left out if hostRequirements.gpu is optional; --mount, -v as mounts; -p as appPort",
  dockerComposeFile:
    "yes; ports that services publish (TCP) are forwarded here; volumes with paths of this computer need a word, as mounts do; see containers.md for variables and host-gateway",
  initializeCommand: "on this computer, with consent",
  forwardPorts:
    "on this computer's loopback, by the same number where it's free; of services too (db:5432)",
  portsAttributes:
    "settings of the editor's server; label, protocol, requireLocalPort, ignore for ports forwarded here, opening for services'",
  otherPortsAttributes:
    "as portsAttributes; what is published or in forwardPorts is forwarded all the same",
  appPort: "published in the VM, and forwarded to this computer's loopback",
  shutdownAction:
    "stopContainer or stopCompose: as on the right, of the VM with its containers, which start again with it",
  postStartCommand: "once for each start of the container that up sees",
  postAttachCommand: "at each up",
  "hostRequirements.gpu":
    "a VM has none: a warning where it is optional, else refused",
  "hostRequirements.cpus": "of the VM",
  "hostRequirements.memory": "of the VM",
  "hostRequirements.storage": "of the VM",
  "customizations.vscode.settings":
    "machine settings of the editor's server in the container",
  "customizations.vscode.extensions":
    "by the editor, when its window opens in the container",
};

const inContainer = (path: string): string =>
  inContainers[path] ??
  (path.startsWith("customizations.guesthouse") ? "of the VM" : "yes");

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
      `| \`${path}\` | ${inContainer(path)} | ${titles[state]} | ${how ?? ""} |`,
  );
  return `# What Guesthouse does with a devcontainer.json

Generated from \`src/helper/workspaces/devcontainer/support.ts\`; change it there.

\`guesthouse up\` reads \`.devcontainer/devcontainer.json\`, else \`.devcontainer.json\`, else the only
\`.devcontainer/<name>/devcontainer.json\` (\`--config\` chooses another; the editor shows a list) as the [specification](https://containers.dev/implementors/json_reference/) defines
them. A file that names a container image, a Dockerfile or Compose
files is brought up by the [reference implementation](https://github.com/devcontainers/cli) inside a VM with a container engine,
and you land in the container ([containers.md](containers.md)). Any other file describes the VM itself, and so does each with
\`customizations.guesthouse.image\`, \`customizations.guesthouse.container: false\` or \`--direct\`.
Whatever a file uses of what is _not yet_ done, or of what nobody knows, becomes a warning with the property's path.
What becomes of the reference implementation's own examples: [devcontainer-fixtures.md](devcontainer-fixtures.md).

| Property | In a container in a VM | In a VM | |
| --- | --- | --- | --- |
${rows.join("\n")}

## Variables

\`\${localEnv:NAME}\`, \`\${localEnv:NAME:default}\`, \`\${localWorkspaceFolder}\`, \`\${localWorkspaceFolderBasename}\`,
\`\${containerWorkspaceFolder}\`, \`\${containerWorkspaceFolderBasename}\` and \`\${devcontainerId}\` stand in every value;
\`\${containerEnv:NAME}\` in \`remoteEnv\` only, where it means the guest's environment before \`remoteEnv\`. An unknown variable is
left as it is. Which variables of your computer a file has read is said each time: what it reads, the guest has.

## Features

From a registry (\`ghcr.io/devcontainers/features/go:1\`, also \`@sha256:…\`), from a folder below \`.devcontainer\`
(\`./tools\`) and from an archive's https address. A registry that gives nothing without a name gets the name and password
that this computer has for it (\`DEVCONTAINERS_OCI_AUTH\`, what \`docker login\` kept or its credential helper has,
\`GITHUB_TOKEN\` for ghcr.io), and nobody else is shown them. They are found and checked on your computer,
where nothing of them is unpacked or run, and installed in the guest before the folder is copied. What is installed is
remembered there: the next \`up\` installs only what is new or has changed, and one that failed is where it goes on. A feature
that left the file stays installed, and one whose tag moved on stays as it is, until \`guesthouse rebuild\`.

| Of a feature | Support | |
| --- | --- | --- |
| \`options\` | done | as variables, and in \`devcontainer-features.env\` beside \`install.sh\` |
| \`dependsOn\`, \`installsAfter\`, \`legacyIds\` | done | |
| \`_REMOTE_USER\`, \`_REMOTE_USER_HOME\` | done | |
| \`_CONTAINER_USER\`, \`_CONTAINER_USER_HOME\` | done differently | the file's containerUser where the guest has it, else the remote user |
| \`containerEnv\` | done differently | in /etc/environment, before the file's; \`\${PATH}\` and the other forms of a Dockerfile's ENV are filled in, and login shells get their PATH from /etc/profile.d |
| \`onCreateCommand\` … \`postAttachCommand\` | done | before the file's own; they see no variables of your computer |
| \`customizations\` | done differently | merged below the file's; nothing of \`guesthouse\` is taken of a feature |
| \`privileged\`, \`init\`, \`capAdd\`, \`securityOpt\` | not applicable | a VM is a machine of its own, with systemd: Docker in it needs none of them |
| \`entrypoint\` | not applicable | a warning in the log; what shall run at each start is a service of systemd |
| \`mounts\` | not applicable | a warning in the log; the VM's disk stays |

A lockfile beside the configuration (\`devcontainer-lock.json\`, \`.devcontainer-lock.json\` for \`.devcontainer.json\`) is obeyed:
what it pins is used, and anything else refused. \`guesthouse lock\` writes it; nothing else is ever written into a folder.

## Lifecycle

Commands run in the workspace's folder, as the remote user, with its environment: a string by \`/bin/sh\`, an array without
a shell, an object's entries in parallel. \`onCreate\`, \`updateContent\` and \`postCreate\` run once in a VM's life, \`postStart\`
once a boot, \`postAttach\` at each \`up\`. A command that fails stops the rest; the VM stays, and the next \`up\` goes on with
the command that failed. One that is cancelled ends in the VM with all that it started, and so does one whose helper is gone.
A \`postAttachCommand\` that runs for more than 10 s is not waited for: it keeps running until the next \`up\`, or \`down\`.
All output is kept in the workspace's log.

## Secrets, dotfiles and git

The editor asks for recommended \`secrets\` once and keeps them in its secret store (_Set Secrets…_ changes them); the command
line takes \`--secrets-file\`, a JSON object of names and values. Lifecycle commands have them as variables, \`***\` stands
for them in the log, and nothing of ours writes them down, in the guest or out of it. The settings
\`guesthouse.dotfiles.repository\`, \`.targetPath\` and \`.installCommand\`, or \`--dotfiles-repository\` and its like, bring your
dotfiles into each VM, once, after \`postCreateCommand\`. Git has your \`user.name\` and \`user.email\` where the guest has neither
(\`guesthouse.gitIdentity\`, \`--no-git-identity\`); with \`guesthouse.gitCredentials\` or \`--git-credentials\` it asks git on
this computer for credentials. See [containers.md](containers.md#you-in-the-container) and [the decision](decisions/0012-editor-and-person.md).
`;
}
