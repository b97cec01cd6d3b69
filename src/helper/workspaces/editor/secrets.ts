import { given } from "../../../base/given.ts";
import type { RecommendedSecret } from "../../../protocol/workspaces.ts";
import type { Devcontainer } from "../devcontainer/model.ts";

/** What a file would like its user to give; of an address only what a browser may be sent to. Pure. */
export const recommendedSecrets = (
  file: Pick<Devcontainer, "secrets">,
): RecommendedSecret[] =>
  Object.entries(file.secrets ?? {}).map(
    ([name, { description, documentationUrl }]) => ({
      name,
      ...given({ description }),
      ...(documentationUrl !== undefined && isWebAddress(documentationUrl)
        ? { documentationUrl }
        : {}),
    }),
  );

function isWebAddress(text: string): boolean {
  try {
    return ["https:", "http:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
