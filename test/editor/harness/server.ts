import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { installEditorTools, type EditorTools } from "./install.ts";

export interface EditorServer {
  /** `http://127.0.0.1:PORT` */
  url: string;
  port: number;
  /** Settings, extensions and logs of this run; short, because sockets are made below it. */
  runDir: string;
  /** HOME of the server, unless the caller gave another. */
  homeDir: string;
  /** The user's settings.json. */
  settingsFile: string;
  /** The extension host's logs and everything that output channels wrote. */
  logsDir: string;
  tools: EditorTools;
  /** What the server wrote so far, for a failing test to show. */
  output: () => string;
  /** Ends the server and the extension hosts; a helper that the extension started lives on and is the caller's to end. */
  stop: () => Promise<void>;
}

export interface EditorServerOptions {
  /** Packaged extensions to install. */
  vsix?: string[];
  /** Added to the few variables that are passed on (GUESTHOUSE_HOME, …). */
  env?: Record<string, string>;
  settings?: Record<string, unknown>;
  /** Makes the page run the extension tests named in its payload; without it the payload is silently ignored. */
  extensionTests?: boolean;
}

/** Passed on from the test's environment; everything else (NODE_OPTIONS, VITEST, npm_*) would leak into the editor. */
const passedOn =
  /^(PATH|LANG|LC_ALL|TZ|USER|LOGNAME|SHELL|(https?|no|all)_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/i;

/** Silences everything in a fresh profile that would cover what a test wants to click. */
export const quietSettings = {
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.enableExperiments": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "chat.disableAIFeatures": true,
  "chat.commandCenter.enabled": false,
  "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.ignoreRecommendations": true,
  "extensions.autoCheckUpdates": false,
  "git.enabled": false,
  "editor.accessibilitySupport": "off",
};

/** Starts VS Code's server on a port given by the operating system, with a profile and a home of its own. */
export async function startEditorServer(
  options: EditorServerOptions = {},
): Promise<EditorServer> {
  const tools = await installEditorTools();
  const runDir = await mkdtemp(join(tmpdir(), "gh-ed-"));
  const userDataDir = join(runDir, "ud");
  const homeDir = join(runDir, "home");
  await mkdir(join(userDataDir, "User"), { recursive: true });
  await mkdir(homeDir, { recursive: true });
  await mkdir(join(runDir, "tmp"));
  const settingsFile = join(userDataDir, "User", "settings.json");
  await writeFile(
    settingsFile,
    JSON.stringify({ ...quietSettings, ...options.settings }, undefined, 2),
  );
  await writeFile(join(runDir, "config.yaml"), "");

  const env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(([name]) => passedOn.test(name)),
    ),
    PATH: `${dirname(tools.node)}${delimiter}${process.env["PATH"] ?? ""}`,
    HOME: homeDir,
    // Extension hosts leave their sockets in the temporary folder.
    TMPDIR: join(runDir, "tmp"),
    XDG_CONFIG_HOME: join(homeDir, ".config"),
    XDG_DATA_HOME: join(homeDir, ".local/share"),
    XDG_STATE_HOME: join(homeDir, ".local/state"),
    XDG_CACHE_HOME: join(homeDir, ".cache"),
    EXTENSIONS_GALLERY: "{}",
    GUESTHOUSE_TEST_USER_DATA: userDataDir,
    ...options.env,
  };
  const common = [
    join(tools.codeServer, "out/node/entry.js"),
    ...[
      "--config",
      join(runDir, "config.yaml"),
      "--user-data-dir",
      userDataDir,
      "--extensions-dir",
      join(runDir, "ext"),
    ],
  ];
  for (const vsix of options.vsix ?? []) {
    await execa(tools.node, [...common, "--install-extension", vsix], {
      env,
      extendEnv: false,
    });
  }

  const child = spawn(
    tools.node,
    [
      ...common,
      ...[
        "--bind-addr",
        "127.0.0.1:0",
        "--auth",
        "none",
        "--disable-telemetry",
        "--disable-update-check",
      ],
      ...[
        "--disable-workspace-trust",
        "--disable-getting-started-override",
        "--ignore-last-opened",
      ],
      ...(options.extensionTests
        ? ["--vscode-option", "enable-smoke-test-driver"]
        : []),
    ],
    // A process group of its own: its extension hosts and terminals end with it, a detached helper does not.
    { env, cwd: homeDir, stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const stop = async (): Promise<void> => {
    await endGroup(child);
    await rm(runDir, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const port = await waitForPort(child, () => output);
    const url = `http://127.0.0.1:${port}`;
    return {
      url,
      port,
      runDir,
      homeDir,
      settingsFile,
      logsDir: join(userDataDir, "logs"),
      tools,
      output: () => output,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port that the server says it listens on, once its health page answers. */
async function waitForPort(
  child: ChildProcess,
  output: () => string,
): Promise<number> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null)
      throw new Error(
        `VS Code's server ended at once (exit code ${child.exitCode}):\n${output()}`,
      );
    const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/i.exec(
      output(),
    )?.[1];
    if (port !== undefined) {
      const healthy = await fetch(`http://127.0.0.1:${port}/healthz`).catch(
        () => undefined,
      );
      if (healthy?.ok) return Number(port);
    }
    await delay(50);
  }
  throw new Error(`VS Code's server did not answer within 60 s:\n${output()}`);
}

/** Ends a child and its process group: politely, then after 10 s by force. */
async function endGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch {
      // The group is gone already.
    }
  };
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    signalGroup("SIGTERM");
    await Promise.race([ended, delay(10_000, undefined, { ref: false })]);
  }
  signalGroup("SIGKILL");
}
