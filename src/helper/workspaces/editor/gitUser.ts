/*
 * What git in a guest is to know of the person who works there: name and address as git on this computer says them for the
 * folder, and that it may work in folders whose files belong to another user. What the guest has already, of its image or
 * of dotfiles, stays; keys and signing are not brought along. The same for a VM and for a container in one.
 */
import { createHash } from "node:crypto";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import type { SshSession } from "../../ssh/session.ts";
import { hostGit } from "../git/hostGit.ts";
import { gitDone, gitSetupScript } from "./gitScript.ts";

export interface GitPerson {
  readonly name?: string;
  readonly email?: string;
}

const markName = "git";

/**
 * As git on this computer says it in that folder, its conditional includes among it; nothing where there is no git. Only two
 * values are asked for, which starts no program, whatever the repository's settings say.
 */
export async function gitPersonOfHost(
  folder: string,
  signal: AbortSignal,
): Promise<GitPerson> {
  const ask = async (key: string): Promise<string | undefined> => {
    const { code, stdout } = await hostGit(
      folder,
      ["config", "--get", key],
      { fine: [0, 1] },
      signal,
    );
    const value = stdout.trim();
    // A line break would be another setting in the guest's file.
    const isPlain = code === 0 && value !== "" && visible(value) === value;
    return isPlain && value.length <= 256 ? value : undefined;
  };
  try {
    const name = await ask("user.name");
    const email = await ask("user.email");
    return given({ name, email });
  } catch {
    signal.throwIfAborted();
    return {};
  }
}

/**
 * Does it in the guest, unless that was done before for the same person. Answers with sentences for the log; what can't be done
 * stops no `up`. `marks` is what the guest remembers.
 */
export async function setUpGit(
  session: SshSession,
  what: {
    /** In the guest. */
    readonly folder: string;
    readonly person: GitPerson;
    readonly marks: ReadonlyMap<string, string>;
  },
  signal: AbortSignal,
): Promise<string[]> {
  const { folder, person, marks } = what;
  const { name = "", email = "" } = person;
  const mark = createHash("sha256")
    .update(JSON.stringify([folder, name, email]))
    .digest("hex");
  if (marks.get(markName) === mark) return [];
  const { stdout } = await session.exec(
    gitSetupScript(folder, { name, email }, gitConfigText(person), mark),
    {},
    signal,
  );
  return stdout.split("\n").flatMap((line) => {
    const [kind, path = ""] = line.split("\t");
    if (kind === gitDone.identity)
      return ["git in the guest has your name and address of this computer."];
    if (kind === gitDone.safe)
      return [
        `git in the guest may work in ${visible(path)}, whose files belong to another user (safe.directory).`,
      ];
    return [];
  });
}

/** A git configuration; empty where there is nothing to say. Pure. */
export function gitConfigText({ name, email }: GitPerson): string {
  const lines = Object.entries({ name, email }).flatMap(([key, value]) =>
    value === undefined
      ? []
      : [`\t${key} = "${value.replace(/[\\"]/g, String.raw`\$&`)}"\n`],
  );
  return lines.length === 0 ? "" : `[user]\n${lines.join("")}`;
}
