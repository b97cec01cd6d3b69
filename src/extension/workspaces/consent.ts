import { basename } from "node:path";
import { commands, l10n, type Memento, window } from "vscode";
import type { Result } from "../../protocol/contract.ts";

type Read = Result<"workspaces.read">;

/** What becomes of a file's `initializeCommand`, which runs on this computer and not in the VM. */
export type Initialize = "skip" | "run";

const key = "guesthouse.initializeConsents";
const maxRemembered = 200;

/** Files that the user allowed to run their command here, by digest: a file that changed is asked for again. */
export interface Consents {
  readonly given: (digest: string) => boolean;
  readonly give: (digest: string) => Promise<void>;
  readonly takeBack: (digest: string) => Promise<void>;
}

export function consentsIn(memento: Memento): Consents {
  const all = (): readonly string[] => memento.get<string[]>(key, []);
  const others = (digest: string): string[] =>
    all().filter((each) => each !== digest);
  return {
    given: (digest) => all().includes(digest),
    async give(digest) {
      const kept = [...others(digest), digest];
      await memento.update(key, kept.slice(-maxRemembered));
    },
    async takeBack(digest) {
      await memento.update(key, others(digest));
    },
  };
}

/**
 * Decides about `initializeCommand`: nothing of a folder that isn't trusted runs here, and of a trusted one only what the
 * user has seen and allowed. Undefined when the user leaves.
 */
export async function askInitialize(
  read: Pick<Read, "initializeCommand" | "digest">,
  folder: string,
  isTrusted: boolean,
  consents: Consents,
): Promise<Initialize | undefined> {
  const { initializeCommand, digest } = read;
  if (initializeCommand === undefined || !isTrusted) return "skip";
  if (consents.given(digest)) return "run";
  const run = l10n.t("Run on This Computer");
  const skip = l10n.t("Open Without It");
  const answer = await window.showWarningMessage(
    l10n.t(
      "{0} wants to run a command on this computer, outside the VM.",
      basename(folder),
    ),
    { modal: true, detail: initializeCommand },
    run,
    skip,
  );
  if (answer === skip) return "skip";
  if (answer !== run) return undefined;
  await consents.give(digest);
  return "run";
}

/**
 * Tells of a folder that isn't trusted what of its file is left out, and how to have it. False when the user would rather
 * trust it first, or leaves. A file that lacks nothing asks nothing.
 */
export async function goesOnUntrusted(
  read: Pick<Read, "initializeCommand" | "localVariables" | "secrets">,
  folder: string,
): Promise<boolean> {
  const lacking = [
    ...(read.initializeCommand === undefined
      ? []
      : [l10n.t("its initializeCommand doesn't run on this computer")]),
    ...(read.localVariables.length === 0
      ? []
      : [
          l10n.t(
            "it doesn't see variables of this computer ({0})",
            read.localVariables.join(", "),
          ),
        ]),
    ...(read.secrets.length === 0
      ? []
      : [
          l10n.t(
            "it gets no secrets ({0})",
            read.secrets.map(({ name }) => name).join(", "),
          ),
        ]),
  ];
  if (lacking.length === 0) return true;
  const open = l10n.t("Open Without");
  const manage = l10n.t("Manage Workspace Trust");
  const answer = await window.showWarningMessage(
    l10n.t("{0} is not trusted.", basename(folder)),
    {
      modal: true,
      detail: l10n.t(
        "It can be opened in its VM all the same, but {0}. Trust the folder first to have that.",
        lacking.join(", "),
      ),
    },
    open,
    manage,
  );
  if (answer === manage)
    await commands.executeCommand("workbench.trust.manage");
  return answer === open;
}

/** The host's variables that the file names, as far as it may see them: a folder that isn't trusted sees none. */
export function localEnvOf(
  read: Pick<Read, "localVariables">,
  isTrusted: boolean,
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  if (!isTrusted) return {};
  return Object.fromEntries(
    read.localVariables.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
