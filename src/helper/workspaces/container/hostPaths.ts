/*
 * Paths of this computer in a file for a dev container: bind mounts in `mounts`, in runArgs and in Compose files. Inside the VM they name
 * nothing, so each gets a place of its own there, or is left as it is where it means the same in the VM: the folder itself,
 * named volumes, the engine's socket, devices and what else a system has of itself. Called by `referenceConfig.ts`. Pure.
 */
import { createHash } from "node:crypto";
import { posix } from "node:path";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import {
  canShareFrom,
  type FilesWay,
  sharedFromLinuxOnly,
} from "../../../protocol/filesWays.ts";

/** A path of this computer that the container wants to see. */
export interface HostPath {
  readonly host: string;
  /** Where the VM has it. */
  readonly guest: string;
  /** Where the container sees it. */
  readonly target: string;
}

/** What the user wants of paths of this computer, and of which. */
export interface HostPathsDecision {
  readonly wish: HostPathsWish;
  readonly paths: readonly string[];
}

/** What stands in for a path of this computer: nothing but an empty folder or file, or what is there, in one of the ways. */
export type HostPathsWish = "empty" | FilesWay;

/** What bears on a decision about paths of this computer. */
export interface HostPathsWord {
  /** The caller's. */
  readonly wanted: HostPathsWish | "refuse" | undefined;
  readonly earlier: HostPathsDecision | undefined;
  /** Guesthouse's own: the keys of all VMs are in it. */
  readonly dataFolder?: string;
  readonly platform: NodeJS.Platform;
}

/**
 * By the caller's word, else by the one that was given earlier for the same paths: a file that names one more is another wish.
 * Undefined where there is nothing to decide; refuses with `workspaces.hostPaths`. Pure.
 */
export function decideHostPaths(
  found: readonly HostPath[],
  { wanted, earlier, dataFolder, platform }: HostPathsWord,
): HostPathsDecision | undefined {
  const paths = found.map(({ host }) => host);
  if (paths.length === 0) return undefined;
  const isEarlierEnough =
    wanted === undefined &&
    paths.every((path) => earlier?.paths.includes(path));
  const decided =
    wanted === undefined || wanted === "refuse"
      ? isEarlierEnough
        ? earlier
        : undefined
      : { wish: wanted, paths };
  if (decided === undefined)
    throw refused(
      "workspaces.hostPaths",
      `The container wants to see paths of this computer outside of the folder: ${paths.map(visible).join(", ")}.`,
      {
        remedy:
          "Copy them into the VM once (--host-paths copy), share them with it (share-readonly, or share to let it write), or give it empty ones (empty).",
      },
    );
  const { wish } = decided;
  const withKeys =
    wish === "empty" || dataFolder === undefined
      ? undefined
      : paths.find((path) => isIn(path, dataFolder));
  if (withKeys !== undefined)
    throw refused(
      "workspaces.hostPaths",
      `The container wants to see ${visible(withKeys)}. The keys of all your VMs are in there, so it goes into none.`,
      { remedy: "Give it an empty folder instead (--host-paths empty)." },
    );
  if (wish.startsWith("share") && !canShareFrom(platform))
    throw refused("workspaces.notSupported", `${sharedFromLinuxOnly}.`, {
      remedy: "Copy them into the VM once (--host-paths copy).",
    });
  return decided;
}

/** Where the VM keeps what stands in for paths of this computer. */
export const hostPathsFolder = "/var/lib/guesthouse/host-paths";

/** Names of the engine's socket: in a VM that is its own engine. */
const engineSockets = ["/var/run/docker.sock", "/run/docker.sock"];

export const isEngineSocket = (path: string): boolean =>
  engineSockets.includes(posix.normalize(path));

const isIn = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);

/** What a system has of itself, and a VM as much as a computer: devices, kernel, clock. */
const ownOfSystems = [
  ...["/dev", "/proc", "/sys", "/lib/modules", "/usr/src", "/boot"],
  ...["/etc/localtime", "/etc/timezone", "/etc/machine-id"],
  ...["/run/udev", "/run/systemd", "/run/dbus", "/run/containerd"],
  "/var/lib/docker",
];

const isOwnOfSystems = (path: string): boolean =>
  ownOfSystems.some((own) => isIn(own, path.replace(/^\/var\/run\//, "/run/")));

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : "";

/** Sources of binds, rewritten for the VM. One instance for one file. */
export class HostPaths {
  readonly #workspace: string;
  readonly #folder: string | undefined;
  readonly #found = new Map<string, HostPath>();
  readonly #own = new Set<string>();
  usesEngineSocket = false;

  /**
   * @param workspace the folder in the VM
   * @param folder the same on this computer
   */
  constructor(workspace: string, folder?: string) {
    this.#workspace = workspace;
    this.#folder = folder;
  }

  get found(): readonly HostPath[] {
    return [...this.#found.values()];
  }

  /** Paths that were left as they are, since they name something of the VM's own. */
  get own(): readonly string[] {
    return [...this.#own];
  }

  /** The source of a bind or volume, as the VM has it. A relative one begins in `base`, below the folder. */
  source(source: string, target: string, base = "."): string {
    if (isEngineSocket(source)) {
      this.usesEngineSocket = true;
      return source;
    }
    if (/^\.\.?(?:\/|$)/.test(source)) {
      const folder = this.#folder ?? this.#workspace;
      const whole = posix.join(folder, base, source);
      // The folder's own, and the folders that it lies in, are where they are in the VM.
      return isIn(folder, whole) || isIn(whole, folder)
        ? source
        : this.source(whole, target);
    }
    // A name is a volume.
    if (!posix.isAbsolute(source)) return source;
    const host = posix.normalize(source);
    if (isIn(this.#workspace, host)) return source;
    if (this.#folder !== undefined && isIn(this.#folder, host))
      return `${this.#workspace}${host.slice(this.#folder.length)}`;
    if (isOwnOfSystems(host)) {
      this.#own.add(host);
      return source;
    }
    const digest = createHash("sha256").update(host).digest("hex").slice(0, 8);
    const guest = `${hostPathsFolder}/${digest}-${posix.basename(host) || "root"}`;
    this.#found.set(host, { host, guest, target });
    return guest;
  }

  /** One entry of `mounts`, or the value of `--mount`: fields with commas between, or an object. */
  mount(mount: unknown): unknown {
    if (typeof mount === "string") return this.#mountText(mount);
    if (typeof mount !== "object" || mount === null) return mount;
    const fields = mount as Record<string, unknown>;
    const name = ["source", "src"].find((each) => each in fields);
    if (name === undefined || fields["type"] === "volume") return mount;
    const target = textOf(fields["target"]);
    return { ...fields, [name]: this.source(textOf(fields[name]), target) };
  }

  /** The value of `-v`: `source:target[:options]`. */
  volume(text: string): string {
    const [source = "", ...rest] = text.split(":");
    return rest.length === 0
      ? text
      : [this.source(source, rest[0] ?? ""), ...rest].join(":");
  }

  #mountText(text: string): string {
    const fields = text.split(",");
    const value = (names: readonly string[]): string | undefined =>
      fields
        .map((field) => field.split("="))
        .find(([name = ""]) => names.includes(name.trim()))
        ?.slice(1)
        .join("=");
    if ((value(["type"]) ?? "volume") !== "bind") return text;
    const target = value(["target", "dst", "destination"]) ?? "";
    return fields
      .map((field) => {
        const [name = "", ...rest] = field.split("=");
        return ["source", "src"].includes(name.trim())
          ? `${name}=${this.source(rest.join("="), target)}`
          : field;
      })
      .join(",");
  }
}
