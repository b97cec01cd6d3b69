import { createHash } from "node:crypto";
import { given } from "../../../base/given.ts";
import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import { shellCommand } from "../../ssh/quote.ts";
import type { SshCommand, SshSession } from "../../ssh/session.ts";
import { guestScript } from "./guestScript.ts";

/** A workspace in a guest: the folder that was copied in, as the guest names it. */
export interface GuestWorkspace {
  readonly session: SshSession;
  readonly folder: string;
}

type Verb =
  | "base"
  | "status"
  | "inner"
  | "prepare"
  | "pack"
  | "diff"
  | "changed"
  | "tar"
  | "saved";

/** Names the folder in the guest where a workspace's base is kept. Pure. */
export const workspaceKey = (guestFolder: string): string =>
  createHash("sha256").update(guestFolder).digest("hex").slice(0, 16);

const commandOf = (
  verb: Verb,
  { folder }: GuestWorkspace,
  args: readonly string[],
): string =>
  shellCommand([
    ...["sh", "-c", guestScript, "guesthouse"],
    ...[verb, workspaceKey(folder), folder, ...args],
  ]);

/** More than this is no list that anybody reads. */
const maxListBytes = 64 * 1024 * 1024;

/** Runs one verb to its end and answers what it printed. Throws `workspaces.failed` with git's own words. */
export async function inWorkspace(
  verb: Exclude<Verb, "pack" | "tar">,
  workspace: GuestWorkspace,
  options: { readonly args?: readonly string[]; readonly stdin?: string } = {},
  signal?: AbortSignal,
): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { code, stderr } = await workspace.session.exec(
    commandOf(verb, workspace, options.args ?? []),
    {
      ...given({ stdin: options.stdin }),
      onStdout: (chunk) => {
        bytes += chunk.length;
        if (bytes <= maxListBytes) chunks.push(chunk);
      },
    },
    signal,
  );
  if (code !== 0) throw guestFailure(workspace.folder, code, stderr);
  // A part of a list would pass for the whole.
  if (bytes > maxListBytes)
    throw failed(
      "workspaces.failed",
      `The guest's list of ${workspace.folder} is too long to be read.`,
      { remedy: "Copy files out one by one with `guesthouse cp`." },
    );
  return Buffer.concat(chunks).toString("utf8");
}

/** Starts a verb whose streams the caller pumps. `failure` tells how it ended, once it has. */
export async function streamFrom(
  verb: "pack" | "diff" | "tar",
  workspace: GuestWorkspace,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<
  SshCommand & { readonly failure: () => Promise<GuesthouseError | undefined> }
> {
  const command = await workspace.session.start(
    commandOf(verb, workspace, args),
    signal,
  );
  command.stdin.on("error", () => undefined);
  return {
    ...command,
    failure: async () => {
      // Whoever read it may have seen all that matters before its end; the channel closes only after that.
      command.stdout.resume();
      const { code, stderr } = await command.ended;
      return code === 0
        ? undefined
        : guestFailure(workspace.folder, code, stderr);
    },
  };
}

/** Is this a workspace of which nothing can be told, as there is no git, no folder or no base? Else a look at it has failed. */
export const cannotBeTold = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  (error.cause === 77 || error.cause === 78 || error.cause === 79);

/** The exit code is its cause. */
function guestFailure(
  folder: string,
  code: number,
  stderr: string,
): GuesthouseError {
  switch (code) {
    case 77:
      return failed(
        "workspaces.failed",
        "There is no git in the guest, so what changed there can't be told.",
        {
          remedy: "Install git in the guest, or copy files out one by one.",
          cause: code,
        },
      );
    case 78:
      return failed(
        "workspaces.failed",
        `The folder ${folder} is not in the guest any more.`,
        {
          remedy: "Copy it in again, or delete the machine with --discard.",
          cause: code,
        },
      );
    case 79:
      return failed(
        "workspaces.failed",
        `What ${folder} was when it was copied in is not known, so its changes can't be told.`,
        {
          remedy: "Copy files out one by one with `guesthouse cp`.",
          cause: code,
        },
      );
    default:
      return failed(
        "workspaces.failed",
        `git in the guest could not look at ${folder}: ${stderr.trim().split("\n").slice(-3).join(" ") || `it ended with ${String(code)}`}.`,
        {
          remedy: "Mend the repository in the guest, then try again.",
          cause: code,
        },
      );
  }
}
