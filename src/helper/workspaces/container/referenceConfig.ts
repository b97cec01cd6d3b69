/*
 * The file that the reference implementation gets in the VM in place of the folder's own: the same, with what only this
 * computer knows filled in and what only it has taken out. Everything else is left to it. Called by `up/plan.ts`. Pure.
 */
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import type { ComposeFacts } from "../devcontainer/composeFiles.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import type { ConfigWarning } from "../devcontainer/review.ts";
import { substitute, type VariableValues } from "../devcontainer/variables.ts";
import {
  composeParts,
  type ComposeParts,
  overridePath,
} from "./composeParts.ts";
import { type HostPath, HostPaths } from "./hostPaths.ts";

export interface ReferenceConfig {
  readonly file: Readonly<Record<string, unknown>>;
  readonly hostPaths: readonly HostPath[];
  readonly compose?: ComposeParts;
  /** Networks and volumes that have to be there before, as a command on this computer makes them for its own engine. */
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  /** Containers of it want to reach this computer by Docker's `host-gateway`. */
  readonly usesHostGateway: boolean;
  readonly notes: readonly string[];
  readonly warnings: readonly ConfigWarning[];
}

export interface ReferenceSource {
  /** As it was read, with its variables. */
  readonly file: Devcontainer;
  readonly compose?: ComposeFacts;
  /** The folder on this computer. */
  readonly folder: string;
}

/**
 * `workspace` is the folder in the VM. Refuses with `workspaces.notSupported` a
 * file that needs a GPU or a device that no VM has.
 */
export function referenceConfig(
  { file, folder, compose: facts }: ReferenceSource,
  workspace: string,
  values: Pick<VariableValues, "localEnv" | "devcontainerId">,
): ReferenceConfig {
  const filled = substitute(file, {
    ...values,
    // In the VM the engine finds the folder there.
    localWorkspaceFolder: workspace,
  });
  const paths = new HostPaths(workspace, folder);
  const { hostRequirements } = filled;
  const gpu = gpuOf(hostRequirements);
  const args = runArgs(filled.runArgs ?? [], { gpu, paths });
  const mounts = filled.mounts?.map((mount) => paths.mount(mount));
  const workspaceMount =
    filled.workspaceMount === undefined || filled.workspaceMount === ""
      ? filled.workspaceMount
      : String(paths.mount(filled.workspaceMount));
  const compose =
    facts === undefined
      ? undefined
      : composeParts(facts, values.localEnv, { paths, workspace });
  const warnings = [...args.warnings];
  if (gpu === "optional" && warnings.length === 0)
    warnings.push(noGpu("hostRequirements.gpu"));
  return {
    file: {
      ...filled,
      // It ran on this computer.
      initializeCommand: undefined,
      // It would look for a GPU and ask the engine for it.
      ...(hostRequirements === undefined
        ? {}
        : { hostRequirements: { ...hostRequirements, gpu: undefined } }),
      ...(filled.runArgs === undefined ? {} : { runArgs: args.kept }),
      ...(mounts === undefined ? {} : { mounts }),
      ...(workspaceMount === undefined ? {} : { workspaceMount }),
      ...(compose?.override === undefined
        ? {}
        : {
            dockerComposeFile: [
              ...[filled.dockerComposeFile ?? []].flat(),
              overridePath,
            ],
          }),
    },
    hostPaths: paths.found,
    ...given({ compose }),
    networks: [...args.networks, ...(compose?.networks ?? [])],
    volumes: compose?.volumes ?? [],
    usesHostGateway:
      facts?.usesHostGateway === true ||
      (filled.runArgs ?? []).some((arg) => /:host-gateway$/.test(arg)),
    notes: [
      ...(paths.usesEngineSocket
        ? [
            "The engine's socket in the container is the one of the VM: containers started there run in the VM, not on this computer.",
          ]
        : []),
      ...(paths.own.length > 0
        ? [
            `The container sees the VM's own ${paths.own.map(visible).join(", ")}, not this computer's.`,
          ]
        : []),
    ],
    warnings,
  };
}

type Gpu = "required" | "optional" | "none";

function gpuOf(required: Devcontainer["hostRequirements"]): Gpu {
  const gpu = required?.gpu;
  if (gpu === undefined || gpu === false) return "none";
  if (gpu === "optional") return "optional";
  throw refused(
    "workspaces.notSupported",
    "This configuration requires a GPU, and VMs don't have one.",
    {
      remedy:
        'If it works without one, set "hostRequirements": {"gpu": "optional"}.',
    },
  );
}

const noGpu = (property: string): ConfigWarning => ({
  property,
  message: "The VM has no GPU; the container starts without one.",
});

/** Devices that a VM has as much as a computer. */
const devicesOfVms =
  /^\/dev\/(?:fuse|kvm|net\/tun|loop[^/]*|mapper\/control|null|zero|full|random|urandom|tty|shm|ptmx)$/;

interface RunArgs {
  readonly kept: string[];
  readonly networks: readonly string[];
  readonly warnings: ConfigWarning[];
}

/** Arguments of `docker run` with their values; an option's value may follow it or an equals sign. */
function runArgs(
  args: readonly string[],
  { gpu, paths }: { readonly gpu: Gpu; readonly paths: HostPaths },
): RunArgs {
  const kept: string[] = [];
  const networks = new Set<string>();
  const warnings: ConfigWarning[] = [];
  for (let i = 0; i < args.length; i++) {
    const whole = args[i] ?? "";
    const [name = "", ...after] = whole.split("=");
    const isJoined = after.length > 0 && whole.startsWith("--");
    const handle = handlers[name];
    if (handle === undefined) {
      kept.push(whole);
      continue;
    }
    const value = isJoined ? after.join("=") : (args[++i] ?? "");
    const result = handle(value, { gpu, paths, networks });
    if (typeof result === "string")
      kept.push(...(isJoined ? [`${name}=${result}`] : [name, result]));
    else warnings.push(result);
  }
  return { kept, networks: [...networks], warnings };
}

type Handle = (
  value: string,
  around: {
    readonly gpu: Gpu;
    readonly paths: HostPaths;
    readonly networks: Set<string>;
  },
) => string | ConfigWarning;

const volume: Handle = (value, { paths }) => paths.volume(value);

/** `NAME`, or `name=NAME,alias=…`. */
const network: Handle = (value, { networks }) => {
  const name = /(?:^|,)name=([^,]*)/.exec(value)?.[1] ?? value;
  if (!/^(?:bridge|host|none|default|container:.*|)$/.test(name))
    networks.add(name);
  return value;
};

/** Options whose value is looked at: the value to keep, or why the option is left out. */
const handlers: Readonly<Record<string, Handle>> = {
  "-v": volume,
  "--volume": volume,
  "--network": network,
  "--net": network,
  "--mount": (value, { paths }) => String(paths.mount(value)),
  "--gpus": (_value, { gpu }) => {
    if (gpu === "optional") return noGpu("runArgs");
    throw refused(
      "workspaces.notSupported",
      "runArgs asks for a GPU (--gpus), and VMs don't have one.",
      {
        remedy:
          'If the project works without one, remove --gpus or set "hostRequirements": {"gpu": "optional"}.',
      },
    );
  },
  "--device": (value, { gpu }) => {
    const [device = ""] = value.split(":");
    if (devicesOfVms.test(device)) return value;
    if (gpu === "optional")
      return {
        property: "runArgs",
        message: `The VM has no ${visible(device)}; the container starts without it.`,
      };
    throw refused(
      "workspaces.notSupported",
      `runArgs asks for the device ${visible(device)}, and VMs don't have it.`,
      { remedy: "Remove --device if the project works without it." },
    );
  },
};
