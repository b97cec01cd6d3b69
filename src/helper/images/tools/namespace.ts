import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import type { Command } from "./command.ts";
import { requirePrograms, run } from "./command.ts";

/**
 * How root's work on the image's tree is done. `root` and `user` run in mount and process namespaces of their own
 * (unshare(1)), so that killing them leaves no mount and no process; `user` maps the caller to root and its
 * subordinate ids to the rest, and needs no privileges. `plain` is for root in a container that may not unshare.
 */
export type Isolation = "root" | "user" | "plain";

const namespaces = [
  "--mount",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
];

/** Arguments of unshare(1) for an isolation, without the program that follows. */
export function unshareArguments(isolation: "root" | "user"): string[] {
  return isolation === "root"
    ? namespaces
    : ["--user", "--map-root-user", "--map-auto", ...namespaces];
}

/** The command as it must be started to run isolated. */
export function isolated(isolation: Isolation, command: Command): Command {
  if (isolation === "plain") return command;
  return {
    ...command,
    file: "unshare",
    args: [...unshareArguments(isolation), command.file, ...command.args],
  };
}

/**
 * Finds out by trying what this host allows.
 * Fails with `host.notSupported` when an ordinary user may not have namespaces, and says why.
 */
export async function chooseIsolation(
  uid: number,
  signal: AbortSignal,
): Promise<Isolation> {
  const isolation = uid === 0 ? "root" : "user";
  if (isolation === "user") await requirePrograms({ newuidmap: "uidmap" });
  try {
    await run(isolated(isolation, { file: "true", args: [] }), signal);
    return isolation;
  } catch (error) {
    if (error instanceof GuesthouseError && error.failure.kind === "cancelled")
      throw error;
    if (isolation === "root") return "plain";
    throw failed(
      "host.notSupported",
      `Building an image without root needs user namespaces, which this host refuses: ${error instanceof Error ? error.message : String(error)}`,
      {
        remedy:
          "Give your user ranges in /etc/subuid and /etc/subgid (sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER), allow unprivileged user namespaces, or build the image once as root.",
        actions: ["doctor"],
        cause: error,
      },
    );
  }
}
