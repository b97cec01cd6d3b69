import type { FeatureMetadata } from "./metadata.ts";
import { invalidFeature } from "./metadata.ts";

/** What a file says of a feature, by the options' own names. */
export type GivenOptions = Readonly<Record<string, string>>;

/**
 * The value of a feature in a file, or in another's `dependsOn`: an object of options, or a string for the one called
 * `version`. Refuses with `workspaces.featureInvalid` what is neither. Pure.
 */
export function givenOptions(feature: string, value: unknown): GivenOptions {
  if (typeof value === "string") return { version: value };
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidFeature(
      feature,
      "its value in the file is neither an object of options nor a version",
      "Write {} for a feature without options.",
    );
  return Object.fromEntries(
    Object.entries(value).map(([name, given]: [string, unknown]) => {
      if (["string", "boolean", "number"].includes(typeof given))
        return [name, String(given)];
      throw invalidFeature(
        feature,
        `its option “${name}” is neither a string nor a boolean`,
        "Correct the option in the file.",
      );
    }),
  );
}

/**
 * The options that a feature is installed with, by the names of their variables: what is given, else the defaults.
 * `unknown` are those that the feature doesn't name; they are passed on, as the specification asks. Refuses with
 * `workspaces.featureInvalid` what isn't among the allowed values. Pure.
 */
export function resolveOptions(
  feature: string,
  { options: known = {} }: Pick<FeatureMetadata, "options">,
  given: GivenOptions,
): {
  readonly variables: Readonly<Record<string, string>>;
  readonly unknown: readonly string[];
} {
  const values: Record<string, string> = {};
  for (const [name, option] of Object.entries(known)) {
    const value = Object.hasOwn(given, name)
      ? given[name]
      : option.default?.toString();
    if (value === undefined) continue;
    const allowed = option.type === "boolean" ? ["true", "false"] : option.enum;
    // A default of the feature's own is its own affair.
    if (
      Object.hasOwn(given, name) &&
      allowed !== undefined &&
      !allowed.includes(value)
    )
      throw invalidFeature(
        feature,
        `its option “${name}” can't be “${value}”, only ${allowed.join(", ")}`,
        "Correct the option in the file.",
      );
    values[name] = value;
  }
  const unknown = Object.keys(given).filter(
    (name) => !Object.hasOwn(known, name),
  );
  for (const name of unknown) values[name] = given[name] ?? "";
  return {
    variables: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        environmentName(name),
        value,
      ]),
    ),
    unknown,
  };
}

/** The variable that an option comes to install.sh in (specification, "Option resolution"). Pure. */
export const environmentName = (option: string): string =>
  option
    .replace(/[^\w]/g, "_")
    .replace(/^[\d_]+/, "_")
    .toUpperCase();
