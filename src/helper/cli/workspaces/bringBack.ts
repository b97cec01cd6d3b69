import { visible } from "../../../base/visible.ts";
import { given } from "../../../base/given.ts";
import { resolve } from "node:path";
import type { Command } from "commander";
import { refused } from "../../../protocol/failure.ts";
import type { Params, Result } from "../../../protocol/contract.ts";
import { bytes } from "../terminal/format.ts";
import { withHelper } from "../terminal/session.ts";
import { watchMachine } from "../terminal/waiting.ts";

interface Flags {
  readonly branch?: string;
  readonly patch?: string;
  readonly to?: string;
  readonly force?: boolean;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** bring-back: work out of a folder that was copied into a guest. */
export function addBringBackCommand(program: Command): void {
  program
    .command("bring-back")
    .argument("<name>")
    .description("bring work out of the folder that was copied into a machine")
    .option("-b, --branch <name>", "as commits on this branch (the default)")
    .option("--patch <file>", "as one patch, for git apply")
    .option("--to <folder>", "as files, written into this folder")
    .option("--force", "as files, written over the folder they came from")
    .option("--list", "only list the files that differ")
    .option("--json", "print JSON")
    .action(async (name: string, flags: Flags) =>
      withHelper(
        flags,
        async (session) => {
          const { client, signal } = session;
          watchMachine(session, name);
          const { machine } = await client.call("machines.show", {
            machine: name,
          });
          if (flags.force === true && machine.folder?.branch !== undefined)
            throw refused(
              "request.invalid",
              `The folder on this computer may hold another branch than ${machine.folder.branch}.`,
              {
                remedy: "Bring it back as commits, or name a folder with --to.",
              },
            );
          const way = wayOf(flags, machine.folder?.local);
          const params = { machine: machine.id, way };
          await client.call("machines.start", { machine: name }, signal);
          return (await client.call("bringBack.run", params, signal)).brought;
        },
        describe,
      ),
    );
}

type Way = Params<"bringBack.run">["way"];

function wayOf(flags: Flags, local: string | undefined): Way {
  const { branch, patch, to, force, list } = flags;
  const chosen = [branch, patch, to, force, list].filter(
    (flag) => flag !== undefined,
  );
  if (chosen.length > 1)
    throw refused(
      "request.invalid",
      "--branch, --patch, --to, --force and --list exclude each other.",
      { remedy: "Give one of them." },
    );
  if (patch !== undefined) return { kind: "patch", file: resolve(patch) };
  if (to !== undefined) return { kind: "files", folder: resolve(to) };
  if (list === true) return { kind: "files" };
  if (force === true) return { kind: "files", ...given({ folder: local }) };
  return { kind: "branch", ...given({ branch }) };
}

function describe(brought: Result<"bringBack.run">["brought"]): string {
  switch (brought.kind) {
    case "nothing":
      return "Nothing differs from what was copied in.";
    case "branch":
      return [...branchLines(brought), ...besideLines(brought)].join("\n");
    case "patch":
      return `Wrote ${brought.file}, ${bytes(brought.bytes)}. Apply it with: git apply ${brought.file}`;
    case "files": {
      const list = brought.files.map(({ name, how }) => `${how}  ${name}`);
      return [
        ...list,
        brought.folder === undefined
          ? "Nothing was written; --to or --force does."
          : `Written to ${brought.folder}.`,
        ...besideLines(brought),
      ].join("\n");
    }
  }
}

type Brought = Result<"bringBack.run">["brought"];
type Branches = Pick<
  Extract<Brought, { kind: "branch" }>,
  "repository" | "branches"
>;

const branchLines = ({ repository, branches }: Branches): string[] =>
  branches.map(
    ({ branch, commit }) =>
      `${branch} is at ${commit.slice(0, 12)} in ${repository}.`,
  );

/** Of the repositories inside of it. */
const besideLines = ({
  inner = [],
  left = [],
  notes = [],
}: Pick<
  Extract<Brought, { kind: "files" }>,
  "inner" | "left" | "notes"
>): string[] => [
  ...inner.flatMap(branchLines),
  ...left.map(
    (path) =>
      `What the repository ${visible(path)} in it has stays in the VM: there is none in that place here, its branch can't be moved, or git can't read it.`,
  ),
  ...notes,
];
