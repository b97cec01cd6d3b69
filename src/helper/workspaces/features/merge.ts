import {
  type Devcontainer,
  guestLifecycle,
  type LifecycleCommand,
} from "../devcontainer/model.ts";
import { substitute, type VariableValues } from "../devcontainer/variables.ts";
import type { ResolvedFeature } from "./resolve.ts";

type Customizations = Readonly<Record<string, unknown>>;

/**
 * `customizations` of features, in install order, and of the file after them, as the specification merges them: objects
 * property by property, arrays as unions, of anything else the later value. What a VM is made of is the file's alone:
 * nothing below `guesthouse` is taken of a feature. Pure.
 */
export function mergedCustomizations(
  features: readonly {
    readonly metadata: Pick<ResolvedFeature["metadata"], "customizations">;
  }[],
  file: Pick<Devcontainer, "customizations">,
): Customizations {
  const ofFeatures = features.map(({ metadata: { customizations = {} } }) =>
    Object.fromEntries(
      Object.entries(customizations).filter(([tool]) => tool !== "guesthouse"),
    ),
  );
  return [...ofFeatures, file.customizations ?? {}].reduce<Customizations>(
    (merged, next) => merge(merged, next) as Customizations,
    {},
  );
}

function merge(a: unknown, b: unknown): unknown {
  if (Array.isArray(a) && Array.isArray(b)) {
    const seen = new Set(a.map((item) => JSON.stringify(item)));
    return [
      ...(a as unknown[]),
      ...(b as unknown[]).filter((item) => !seen.has(JSON.stringify(item))),
    ];
  }
  if (!isObject(a) || !isObject(b)) return b;
  const merged = new Map(Object.entries(a));
  for (const [name, value] of Object.entries(b))
    merged.set(name, merged.has(name) ? merge(merged.get(name), value) : value);
  return Object.fromEntries(merged);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The commands that a feature adds to the life of a VM; each runs before the file's own of that name. */
export interface FeatureHooks {
  /** The feature, as the file names it; absent where that isn't known. */
  readonly by?: string;
  /** What a guest remembers them by. */
  readonly identity: string;
  readonly commands: Partial<
    Record<(typeof guestLifecycle)[number], LifecycleCommand>
  >;
}

/** Of each feature that has some, in install order. Features see no variable of the host. Pure. */
export function hooksOf(
  features: readonly Pick<
    ResolvedFeature,
    "metadata" | "reference" | "identity"
  >[],
  variables: VariableValues,
): FeatureHooks[] {
  return features.flatMap(({ metadata, reference, identity }) => {
    const commands = Object.fromEntries(
      guestLifecycle.flatMap((name) =>
        metadata[name] === undefined ? [] : [[name, metadata[name]]],
      ),
    ) as FeatureHooks["commands"];
    return Object.keys(commands).length === 0
      ? []
      : [
          {
            by: reference,
            identity,
            commands: substitute(commands, { ...variables, localEnv: {} }),
          },
        ];
  });
}
