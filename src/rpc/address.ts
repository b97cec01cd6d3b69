import { createHash } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { readVariable } from "../base/environmentVariables.ts";
import { refused } from "../protocol/failure.ts";

/** Longest path of a unix socket: `sun_path` holds 108 bytes with its final zero on Linux (unix(7)), 104 on macOS. */
const maxSocketPathBytes = process.platform === "darwin" ? 103 : 107;

/** The longest socket name that is ever made in the run folder: that of a template being made, `tmpl-<16 hex>.console`. */
const longestSocketName = "tmpl-0123456789abcdef.console";

type Environment = Readonly<Record<string, string | undefined>>;

/** The data folder: `GUESTHOUSE_HOME`, else the platform's folder for application data. */
export function defaultHome(env: Environment = process.env): string {
  const explicit = readVariable("GUESTHOUSE_HOME", env);
  if (explicit !== undefined && explicit !== "") return explicit;
  switch (process.platform) {
    case "win32":
      return join(
        env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"),
        "Guesthouse",
      );
    case "darwin":
      return join(homedir(), "Library", "Application Support", "Guesthouse");
    default:
      return join(
        env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"),
        "guesthouse",
      );
  }
}

/**
 * The folder for sockets: `<home>/run`, or, where that is too long for `sun_path`, a folder of the user's runtime
 * directory that is named by a digest of `home` (B22). Refuses with `helper.pathTooLong` when even that is too long.
 */
export function runFolderOf(
  home: string,
  env: Environment = process.env,
): string {
  if (process.platform === "win32") return join(home, "run");
  const name = `guesthouse-${String(process.getuid?.() ?? 0)}-${shortHash(home)}`;
  const candidates = [
    join(home, "run"),
    join(env["XDG_RUNTIME_DIR"] ?? tmpdir(), name),
  ];
  const fitting = candidates.find(
    (folder) =>
      Buffer.byteLength(join(folder, longestSocketName)) <= maxSocketPathBytes,
  );
  if (fitting !== undefined) return fitting;
  throw refused(
    "helper.pathTooLong",
    `No folder for sockets is short enough: ${candidates.join(" and ")} leave no room within ${String(maxSocketPathBytes)} bytes.`,
    { remedy: "Set GUESTHOUSE_HOME or XDG_RUNTIME_DIR to a shorter path." },
  );
}

/** The helper's own unix socket, or its named pipe on Windows. */
export function helperSocketOf(
  home: string,
  env: Environment = process.env,
): string {
  if (process.platform === "win32")
    return `\\\\.\\pipe\\guesthouse-${shortHash(home)}`;
  return join(runFolderOf(home, env), "helper");
}

const shortHash = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 10);
