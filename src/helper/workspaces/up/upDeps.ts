import type { Log } from "../../../base/log.ts";
import type { ParsedParams } from "../../../protocol/contract.ts";
import type { Http } from "../../net/http.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import type { Layout } from "../../store/layout.ts";
import type { OnProgress } from "../copying/copy.ts";
import type { GitCredentials } from "../credentials/gitCredentials.ts";
import type { EngineProgram } from "../container/engine.ts";
import type { FindCredentials } from "../features/credentials.ts";
import type { DiskLender } from "../copying/sendByDisk.ts";
import type { Shares } from "../share/shares.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";
import type { PrebuildFinder } from "./prebuilt.ts";
import type { UpWorkspaces } from "../known/knownWorkspaces.ts";

export interface UpDeps {
  readonly layout: Layout;
  readonly log: Log;
  readonly workspaces: UpWorkspaces;
  readonly machines: MachineVerbs;
  readonly reach: Pick<GuestAccess, "target" | "landing">;
  /** The product's `resources/`. */
  readonly resources: string;
  /** For features. */
  readonly http: Http;
  readonly credentials?: FindCredentials;
  readonly onLogged: (id: string, offset: number, text: string) => void;
  readonly onCopied: (machine: string) => OnProgress;
  /** See `CopyingDeps`. */
  readonly diskLender?: (id: string) => DiskLender;
  /** Without it nothing is mounted live. */
  readonly shares?: Pick<Shares, "ensure" | "isMounted" | "release">;
  /** Without it git in a guest can't ask this computer for credentials. */
  readonly gitCredentials?: Pick<GitCredentials, "ensure" | "release">;
  /** Without it nothing is asked of a VM's container engine but by the reference implementation. */
  readonly engineProgram?: EngineProgram;
  /** Nothing but a `postAttachCommand` that may never end is left of this workspace's `up`. */
  readonly onLingering?: (id: string) => void;
  /** How long `postAttachCommand` is waited for; default 10 s. */
  readonly lingersAfterMs?: number;
  /** Without it every new machine is made of the base image. */
  readonly prebuilds?: PrebuildFinder;
}

export type UpParams = ParsedParams<"workspaces.up">;
