import type { Log } from "../../../base/log.ts";
import type { ParsedParams } from "../../../protocol/contract.ts";
import type { Http } from "../../images/http.ts";
import type { Reach } from "../../ssh/reach.ts";
import type { Layout } from "../../store/layout.ts";
import type { OnProgress } from "../copy.ts";
import type { FindCredentials } from "../features/credentials.ts";
import type { PrebuildFinder } from "../prebuild/choose.ts";
import type { DiskWay } from "../sendByDisk.ts";
import type { Shares } from "../share/shares.ts";
import type { MachineVerbs } from "./machineVerbs.ts";
import type { WorkspaceRegistry } from "./registry.ts";

export interface UpDeps {
  readonly layout: Layout;
  readonly log: Log;
  readonly registry: Pick<
    WorkspaceRegistry,
    "machineOf" | "rewrite" | "tell" | "view"
  >;
  readonly machines: MachineVerbs;
  readonly reach: Pick<Reach, "target">;
  /** For features. */
  readonly http: Http;
  readonly credentials?: FindCredentials;
  readonly onLogged: (id: string, offset: number, text: string) => void;
  readonly onCopied: (machine: string) => OnProgress;
  /** See `WorkspaceHandlerDeps`. */
  readonly diskWay?: (id: string) => DiskWay;
  /** Without it nothing is mounted live. */
  readonly shares?: Pick<Shares, "ensure" | "isMounted">;
  /** Without it every new machine is made of the base image. */
  readonly prebuilds?: PrebuildFinder;
}

export type UpParams = ParsedParams<"workspaces.up">;
