/*
 * What Compose in the VM gets of this computer: the variables that its files take from the environment, and an override file
 * that puts the VM's stand-ins in the place of this computer's paths. Called by `referenceConfig.ts`. Pure.
 */
import {
  type ComposeFacts,
  interpolate,
} from "../devcontainer/composeFiles.ts";
import { type HostPaths, hostPathsFolder } from "./hostPaths.ts";

export interface ComposeParts {
  /** Variables for the environment that Compose runs in. */
  readonly environment: Readonly<Record<string, string>>;
  /** Names of networks and volumes that Compose expects to be there, as it doesn't make them. */
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  /** One more Compose file, for the end of the list; undefined where there is nothing to replace. */
  readonly override?: Readonly<Record<string, unknown>>;
}

/** Where the VM keeps the override: Compose remembers its files by their paths. */
export const overridePath = `${hostPathsFolder}/compose.json`;

/** What steers Node itself; files use other names of this kind for their own purposes (`NODE_ENV`, `NODE_VERSION`). */
const ofNode =
  "NODE_(?:OPTIONS|PATH|EXTRA_CA_CERTS|TLS_REJECT_UNAUTHORIZED|USE_.*|DEBUG.*|V8_COVERAGE|ICU_DATA|REDIRECT_WARNINGS|REPL_.*|CHANNEL_.*|UNIQUE_ID|PRESERVE_.*|(?:DISABLE_)?COMPILE_CACHE.*)";

/** What steers programs in the VM is the VM's own, whatever a file asks for. */
const ownOfVm = new RegExp(
  `^(?:PATH|HOME|PWD|OLDPWD|SHELL|TMPDIR|BASH_ENV|IFS|${ofNode}|(?:LD|DOCKER|BUILDKIT|BUILDX|COMPOSE_(?:FILE|PATH))(?:_.*)?)$`,
);

/** `localEnv` holds what this computer has of `facts.variables`; `workspace` is the folder in the VM. */
export function composeParts(
  facts: ComposeFacts,
  localEnv: Readonly<Record<string, string | undefined>>,
  {
    paths,
    workspace,
  }: { readonly paths: HostPaths; readonly workspace: string },
): ComposeParts {
  const environment = Object.fromEntries(
    facts.variables.flatMap((name) => {
      const value = localEnv[name];
      return value === undefined || ownOfVm.test(name)
        ? []
        : [[name, value] as const];
    }),
  );
  const services: Record<string, { volumes: unknown[] }> = {};
  // Compose runs in the folder.
  const values = { ...localEnv, PWD: workspace };
  for (const { service, target, readOnly, ...bind } of facts.binds) {
    const source = interpolate(bind.source, values);
    const replaced = paths.source(source, target, bind.base);
    if (replaced === source) continue;
    const { volumes } = (services[service] ??= { volumes: [] });
    // Of two mounts with one target the later file's is taken.
    volumes.push({
      ...{ type: "bind", source: replaced, read_only: readOnly },
      target: interpolate(target, values),
    });
  }
  const named = (names: readonly string[]): string[] =>
    names
      .map((name) => interpolate(name, values))
      .filter((name) => name !== "");
  return {
    environment,
    networks: named(facts.externalNetworks),
    volumes: named(facts.externalVolumes),
    ...(Object.keys(services).length === 0 ? {} : { override: { services } }),
  };
}
