/*
 * Every environment variable that the product and its scripts read, said once: what it means, what holds without it, and who
 * reads it. docs/reference/environment.md is made of this table; test/unit/docs/environment.test.ts keeps it complete.
 * Code reads a variable by `readVariable`, so that a name that isn't in the table does not compile.
 */

export interface EnvironmentVariable {
  readonly meaning: string;
  /** What holds where the variable isn't set. */
  readonly default: string;
  readonly readBy: string;
  /** `users` may set it, `developers` need it for tests and measurements, `internal` ones are set by Guesthouse itself. */
  readonly audience: "users" | "developers" | "internal";
}

export const environmentVariables = {
  GUESTHOUSE_HOME: {
    meaning:
      "Folder that holds everything Guesthouse keeps: VMs, images, keys, logs. Each folder has a helper of its own.",
    default:
      "`~/.local/share/guesthouse`, `~/Library/Application Support/Guesthouse` or `%LOCALAPPDATA%\\Guesthouse`",
    readBy: "command line, helper, extension (unless guesthouse.home is set)",
    audience: "users",
  },
  GUESTHOUSE_QEMU: {
    meaning: "Folder with the programs of QEMU; none are looked for elsewhere.",
    default: "`PATH`, then where installers put QEMU",
    readBy: "helper",
    audience: "users",
  },
  GUESTHOUSE_WARM: {
    meaning: "`manual`: make no warm template unless asked to.",
    default: "templates are made after the first boot of an image and size",
    readBy: "helper",
    audience: "users",
  },
  GUESTHOUSE_POOL: {
    meaning:
      "Number of clones of each image that wait, paused, to become the next VMs.",
    default: "0",
    readBy: "helper",
    audience: "users",
  },
  GUESTHOUSE_IDLE_STOP_MINUTES: {
    meaning: "Minutes without an SSH connection before a VM is suspended.",
    default: "0: never",
    readBy: "helper",
    audience: "users",
  },
  GUESTHOUSE_PASST: {
    meaning:
      "`any`: use passt even in a release that is known to be faulty, as Debian 12's.",
    default: "such a release isn't used",
    readBy: "helper",
    audience: "users",
  },
  GUESTHOUSE_TEMPLATE_CACHE: {
    meaning:
      "Folder where finished warm templates are kept beyond one data folder.",
    default: "none",
    readBy: "helper",
    audience: "developers",
  },
  GUESTHOUSE_IMAGE_CACHE: {
    meaning:
      "Folder where finished golden images are kept, to be shared between data folders.",
    default: "no such folder",
    readBy: "helper",
    audience: "developers",
  },
  GUESTHOUSE_IDLE_SECONDS: {
    meaning:
      "Seconds without a client or work before the helper exits. Guests keep running.",
    default: "120",
    readBy: "helper",
    audience: "developers",
  },
  GUESTHOUSE_GRACE_SECONDS: {
    meaning:
      "Seconds after the last connection before a folder's VM is stopped or deleted, where its configuration asks for that.",
    default: "60",
    readBy: "helper",
    audience: "developers",
  },
  GUESTHOUSE_FAULT: {
    meaning:
      "`<step>:kill` kills the helper at a step, `<step>:kill:qemu` the step's QEMU, `<step>:kill:<pid>` any process.",
    default: "nothing is killed",
    readBy: "helper",
    audience: "developers",
  },
  GUESTHOUSE_CACHE: {
    meaning:
      "Folder for what `npm start` and `npm test` download and build: images, packages, a browser's server.",
    default: "`guesthouse-dev` in the user's cache folder",
    readBy: "scripts, tests",
    audience: "developers",
  },
  CHROMIUM: {
    meaning: "Chrome or Chromium that the editor's tests run in.",
    default: "where distributions put it",
    readBy: "scripts, tests",
    audience: "developers",
  },
  GUESTHOUSE_TEST_COUNTS: {
    meaning: "File that a run of tests writes its counts to.",
    default: "no file",
    readBy: "scripts",
    audience: "internal",
  },
  GUESTHOUSE_TEST_PROGRESS: {
    meaning: "File that a run of tests adds a line to for each finished file.",
    default: "no file",
    readBy: "scripts",
    audience: "internal",
  },
  GUESTHOUSE_TEST_PACE: {
    meaning:
      "How many times slower than usual this host is; limits of tests grow by it.",
    default: "1",
    readBy: "tests",
    audience: "internal",
  },
  GUESTHOUSE_PACKED_EXTENSION: {
    meaning: "The packed extension that tests of the editor install.",
    default: "it is packed by each test file",
    readBy: "tests",
    audience: "internal",
  },
  GUESTHOUSE_SIGNED_BOOT: {
    meaning:
      "Folder with a signed kernel and boot loader, which play Windows in tests.",
    default: "these tests are skipped",
    readBy: "tests",
    audience: "internal",
  },
  GUESTHOUSE_DOCKER_REGISTRY: {
    meaning: "Program that serves features to tests as a registry.",
    default: "`docker-registry` in `PATH`",
    readBy: "tests",
    audience: "internal",
  },
  GUESTHOUSE_COMMAND: {
    meaning:
      "Sent with the helper's own commands over SSH: a dev container runs them by `/bin/sh`, not by its user's shell.",
    default: "not set",
    readBy: "the SSH server in dev containers",
    audience: "internal",
  },
  GUESTHOUSE_PROBE: {
    meaning:
      "Set in a guest while its login environment is read, so that our own lines in it stay out.",
    default: "not set",
    readBy: "login scripts in the guest",
    audience: "internal",
  },
  XDG_DATA_HOME: {
    meaning: "Where the data folder is on Linux without GUESTHOUSE_HOME.",
    default: "`~/.local/share`",
    readBy: "command line, helper, extension",
    audience: "users",
  },
  XDG_RUNTIME_DIR: {
    meaning:
      "Where sockets go when the path of the data folder is too long for them.",
    default: "the system's temporary folder",
    readBy: "command line, helper, extension",
    audience: "users",
  },
  XDG_CACHE_HOME: {
    meaning: "Where the scripts' cache is without GUESTHOUSE_CACHE.",
    default: "`~/.cache`",
    readBy: "scripts, tests",
    audience: "developers",
  },
  LOCALAPPDATA: {
    meaning: "Where the data folder is on Windows without GUESTHOUSE_HOME.",
    default: "`~\\AppData\\Local`",
    readBy: "command line, helper, extension",
    audience: "internal",
  },
  http_proxy: {
    meaning:
      "Proxy for http; also as HTTP_PROXY. Passed on to guests unless it is on this computer's loopback address.",
    default: "`all_proxy`, else none",
    readBy: "helper",
    audience: "users",
  },
  https_proxy: {
    meaning: "Proxy for https; also as HTTPS_PROXY. Passed on likewise.",
    default: "`all_proxy`, else none",
    readBy: "helper",
    audience: "users",
  },
  all_proxy: {
    meaning: "Proxy for both; also as ALL_PROXY. Passed on likewise.",
    default: "none",
    readBy: "helper",
    audience: "users",
  },
  no_proxy: {
    meaning:
      "Hosts that are reached without a proxy; also as NO_PROXY. Passed on likewise.",
    default: "none",
    readBy: "helper",
    audience: "users",
  },
  NODE_EXTRA_CA_CERTS: {
    meaning:
      "File with certificate authorities of your own. They are trusted for downloads and passed on to guests.",
    default: "the system's",
    readBy: "helper",
    audience: "users",
  },
  SSL_CERT_FILE: {
    meaning: "Likewise, for guests only.",
    default: "the system's",
    readBy: "helper",
    audience: "users",
  },
  REQUESTS_CA_BUNDLE: {
    meaning: "Likewise, for guests only.",
    default: "the system's",
    readBy: "helper",
    audience: "users",
  },
  CURL_CA_BUNDLE: {
    meaning: "Likewise, for guests only.",
    default: "the system's",
    readBy: "helper",
    audience: "users",
  },
  DEVCONTAINERS_OCI_AUTH: {
    meaning:
      "Logins to registries of features: `host|user|token`, separated by commas.",
    default: "what `docker login` kept",
    readBy: "helper",
    audience: "users",
  },
  DOCKER_CONFIG: {
    meaning: "Folder with the `config.json` that `docker login` wrote.",
    default: "`~/.docker`",
    readBy: "helper",
    audience: "users",
  },
  GITHUB_TOKEN: {
    meaning: "Token for ghcr.io where nothing else has a login to it.",
    default: "no login",
    readBy: "helper",
    audience: "users",
  },
  GIT_SSH_COMMAND: {
    meaning: "The ssh that git clones with, as git reads it.",
    default: "git's `core.sshCommand`, else `ssh`",
    readBy: "helper",
    audience: "users",
  },
  PATH: {
    meaning: "Where programs are looked for.",
    default: "the system's folders",
    readBy: "helper, scripts",
    audience: "internal",
  },
  Path: {
    meaning: "The same, as Windows may spell it.",
    default: "`PATH`",
    readBy: "helper",
    audience: "internal",
  },
  PATHEXT: {
    meaning: "How the names of programs end on Windows.",
    default: "`.EXE`",
    readBy: "helper, scripts",
    audience: "internal",
  },
  ProgramFiles: {
    meaning: "Where QEMU's installer puts it on Windows.",
    default: "`C:\\Program Files`",
    readBy: "helper",
    audience: "internal",
  },
  SystemRoot: {
    meaning: "Where Windows keeps its OpenSSH.",
    default: "`C:\\Windows`",
    readBy: "helper",
    audience: "internal",
  },
  ComSpec: {
    meaning: "The command interpreter of Windows.",
    default: "`cmd.exe`",
    readBy: "scripts",
    audience: "internal",
  },
  ELECTRON_RUN_AS_NODE: {
    meaning:
      "Makes the editor's own runtime run the helper; handed on to what the helper starts.",
    default: "the helper runs in Node",
    readBy: "command line, helper",
    audience: "internal",
  },
  DISPLAY: {
    meaning: "Tells `npm start` that it can open a window (X11).",
    default: "no window",
    readBy: "scripts",
    audience: "internal",
  },
  WAYLAND_DISPLAY: {
    meaning: "Tells `npm start` that it can open a window (Wayland).",
    default: "no window",
    readBy: "scripts",
    audience: "internal",
  },
  npm_execpath: {
    meaning: "The npm that runs the script.",
    default: "`npm` in `PATH`",
    readBy: "scripts",
    audience: "internal",
  },
} as const satisfies Record<string, EnvironmentVariable>;

export type VariableName = keyof typeof environmentVariables;

/** What a variable of the table is set to, if it is set. */
export const readVariable = (
  name: VariableName,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined => env[name];
