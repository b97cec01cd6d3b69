import { support } from "./support.ts";

/** Something in the file that doesn't do what its author may think. */
export interface ConfigWarning {
  /** `features`, `hostRequirements.gpu`; empty for the file as a whole. */
  readonly property: string;
  /** A plain sentence. */
  readonly message: string;
}

/** Warnings for every property of a file that is unknown, not done yet or has no meaning for a VM. Pure. */
export function reviewProperties(file: object): ConfigWarning[] {
  return pathsOf(file, "").flatMap((path): ConfigWarning[] => {
    const found = support[path];
    if (found === undefined)
      return isForeign(path)
        ? []
        : [
            {
              property: path,
              message: `${path} is no property that the specification knows; it is ignored.`,
            },
          ];
    if (found.state === "notYet")
      return [
        { property: path, message: `${path} is not done yet: ${found.how}.` },
      ];
    if (found.state === "notApplicable" && found.silent !== true)
      return [{ property: path, message: `${path} is ignored: ${found.how}.` }];
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
      support[path] === undefined &&
      Object.keys(support).some((known) => known.startsWith(`${path}.`));
    return isGroup && typeof inner === "object" && inner !== null
      ? pathsOf(inner, path)
      : [path];
  });
}
