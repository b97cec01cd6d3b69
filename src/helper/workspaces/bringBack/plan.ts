import { visible } from "../../../base/visible.ts";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";

/** What the guest offers, as `prepare` of its script prints it; every value is checked, since a guest may lie. */
export interface Offer {
  readonly kind: "git" | "plain";
  /** The work tree as it is now. */
  readonly tree: string;
  /** A commit of that tree, on top of HEAD. */
  readonly work: string;
  /** The work tree as it was copied in. */
  readonly base: string;
  readonly head: string | undefined;
  /** Commits that the host had when the workspace was copied in, or that were brought back since. */
  readonly tips: readonly string[];
  /** Other branches and stashes with commits of their own. */
  readonly refs: readonly { readonly commit: string; readonly name: string }[];
  /** Filters of git that don't work in the guest: files that they are for come as they lie there. */
  readonly unfiltered: readonly string[];
}

/** An object's name, SHA-1 or SHA-256. */
const isHash = (text: string | undefined): text is string =>
  text !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/** Throws `workspaces.failed` on anything that the script would not print. Pure. */
export function parseOffer(output: string): Offer {
  const fields = new Map<string, string>();
  const tips: string[] = [];
  const refs: { commit: string; name: string }[] = [];
  const unfiltered: string[] = [];
  for (const line of output.split("\n")) {
    const [word = "", ...rest] = line.split(" ");
    const [value, ...name] = rest;
    if (word === "tip" || word === "ref") {
      if (!isHash(value)) throw noAnswer();
      if (word === "tip") tips.push(value);
      else refs.push({ commit: value, name: name.join(" ") });
    } else if (word === "raw") unfiltered.push(rest.join(" "));
    else if (value !== undefined) fields.set(word, value);
  }
  const [kind, tree, work, base, head] = [
    ...[fields.get("kind"), fields.get("tree"), fields.get("work")],
    ...[fields.get("base"), fields.get("head")],
  ];
  if (
    (kind !== "git" && kind !== "plain") ||
    !isHash(tree) ||
    !isHash(work) ||
    !isHash(base) ||
    !(head === undefined || isHash(head))
  )
    throw noAnswer();
  return { kind, tree, work, base, head, tips, refs, unfiltered };
}

const noAnswer = (): GuesthouseError =>
  failed("workspaces.failed", "The guest's answer makes no sense.", {
    remedy: "Look at the workspace in the guest, then try again.",
  });

/** Sentences for whoever brings it back. Pure. */
export const notesOf = ({ unfiltered }: Offer): string[] =>
  unfiltered.map(
    (name) =>
      `git's filter “${visible(name)}” doesn't work in the VM: files that it is for come as they are there.`,
  );

export interface Wanted {
  /** Without `refs/heads/`. */
  readonly branch: string;
  readonly commit: string;
}

/**
 * Which branches the host gets: `branch` for the work itself, `branch-…` for the guest's other branches and stashes.
 * Empty when nothing was made since the copy. Pure.
 */
export function branchesOf(offer: Offer, branch: string): Wanted[] {
  const known = new Set(offer.tips);
  const unchanged =
    offer.tree === offer.base &&
    (offer.head === undefined || known.has(offer.head));
  return [
    ...(unchanged ? [] : [{ branch, commit: offer.work }]),
    ...offer.refs.map(({ commit, name }) => ({
      branch: `${branch}-${name.replace(/^refs\/heads\//, "")}`,
      commit,
    })),
  ];
}

/** Lines for the guest's `saved` file. Pure. */
export function savedLines(offer: Offer, kind: "commits" | "files"): string {
  const tips = [
    ...(offer.head === undefined ? [] : [offer.head]),
    ...(kind === "commits"
      ? [offer.work, ...offer.refs.map(({ commit }) => commit)]
      : []),
  ];
  return [
    `tree ${offer.tree}`,
    ...(kind === "commits" ? [`work ${offer.work}`] : []),
    ...tips.map((commit) => `tip ${commit}`),
    "",
  ].join("\n");
}

export type ChangedFile = {
  readonly name: string;
  readonly how: "added" | "changed" | "deleted";
};

/** Its letters without renames; `T` is another kind of file. */
const changes: Readonly<Record<string, ChangedFile["how"]>> = {
  A: "added",
  D: "deleted",
  M: "changed",
  T: "changed",
};

/** Reads `git diff-tree -z --name-status`. Throws `workspaces.failed` on anything else. Pure. */
export function parseChanged(output: string): ChangedFile[] {
  const items = output.split("\0");
  // Each has a NUL after it.
  if (items.pop() !== "" || items.length % 2 !== 0) throw noAnswer();
  const files: ChangedFile[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const [status = "", name = ""] = items.slice(i, i + 2);
    const how = changes[status];
    if (how === undefined || name === "") throw noAnswer();
    files.push({ name, how });
  }
  return files;
}
