import type { branchMethods } from "../../../protocol/branches.ts";
import type { HandlersOf } from "../../../protocol/contract.ts";
import { soundRepository } from "../git/soundRepository.ts";
import { branchesIn, createBranch } from "./branches.ts";
import type { Clones } from "./clones.ts";
import { placeOfClone } from "./placeOfClone.ts";

/** The contract's methods for branches and clones. */
export const branchHandlers = (
  clones: Clones,
): HandlersOf<keyof typeof branchMethods> => ({
  "branches.list": async ({ folder }, { signal }) =>
    branchesIn(await soundRepository(folder), signal),
  "branches.create": async ({ folder, branch }, { signal }) => ({
    created: await createBranch(await soundRepository(folder), branch, signal),
  }),
  "branches.clone": (wish, { signal }) => placeOfClone(wish, clones, signal),
});
