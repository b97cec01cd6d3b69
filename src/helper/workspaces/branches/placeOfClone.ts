import type { ParsedParams, Result } from "../../../protocol/contract.ts";
import { soundRepository } from "../git/soundRepository.ts";
import { findTip, tipOf } from "./branches.ts";
import { type Clones, notCloned } from "./clones.ts";

/** Clones a repository, or fetches what is new of it, as far as `how` wants that. Refuses as the contract says. */
export async function placeOfClone(
  { url, branch, how = "clone" }: ParsedParams<"branches.clone">,
  clones: Clones,
  signal: AbortSignal,
): Promise<Result<"branches.clone">> {
  const known = how === "fetch" ? undefined : await clones.find(url);
  if (known === undefined && how === "find") throw notCloned(url);
  const clone = known ?? (await clones.obtain(url, signal));
  const wanted = branch ?? (await clones.defaultBranch(clone, signal));
  const { folder } = clone;
  if (how !== "find") {
    const repository = await soundRepository(folder);
    const isNew = (await findTip(repository, wanted, signal)) === undefined;
    // It may have been made there since.
    if (isNew && known !== undefined) await clones.obtain(url, signal);
    await tipOf(repository, wanted, signal);
  }
  return { folder, branch: wanted };
}
