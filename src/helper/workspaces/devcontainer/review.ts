import { visible } from "../../../base/visible.ts";
import { support, supportOf } from "./support.ts";

/** Something in the file that doesn't do what its author may think. */
export interface ConfigWarning {
  /** `features`, `hostRequirements.gpu`; empty for the file as a whole. */
  readonly property: string;
  /** A plain sentence. */
  readonly message: string;
}

/** Warnings for every property of a file that is unknown, not done yet or has no meaning for a VM. Pure. */
export function reviewProperties(file: object): ConfigWarning[] {
  return pathsOf(file, "").flatMap((found): ConfigWarning[] => {
    const path = visible(found);
    const known = supportOf(found);
    if (known === undefined)
      return isForeign(path)
        ? []
        : [
            {
              property: path,
              message: `${path} is no property that the specification knows; it is ignored.`,
            },
          ];
    if (known.state === "notYet" && known.silent !== true)
      return [
        { property: path, message: `${path} is not done yet: ${known.how}.` },
      ];
    if (known.state === "notApplicable" && known.silent !== true)
      return [{ property: path, message: `${path} is ignored: ${known.how}.` }];
    return [];
  });
}

/** Customizations of other tools are none of our business. */
const isForeign = (path: string): boolean =>
  path.startsWith("customizations.") &&
  !path.startsWith("customizations.guesthouse.");

/** Down to the paths that the table knows, or until nothing below could be known. */
function pathsOf(value: object, above: string): string[] {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    const path = above === "" ? name : `${above}.${name}`;
    const isGroup =
      supportOf(path) === undefined &&
      Object.keys(support).some((known) => known.startsWith(`${path}.`));
    return isGroup && typeof inner === "object" && inner !== null
      ? pathsOf(inner, path)
      : [path];
  });
}
