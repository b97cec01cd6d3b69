import type { z } from "zod";
import { branchMethods, branchNotices } from "./branches.ts";
import { bringBackMethods } from "./bringBack.ts";
import { checkpointMethods } from "./checkpoints.ts";
import { containerMethods } from "./containers.ts";
import { copyingMethods, copyingNotices } from "./copying.ts";
import { helperMethods } from "./helper.ts";
import { hostMethods } from "./host.ts";
import { imageMethods, imageNotices } from "./images.ts";
import { machineMethods, machineNotices } from "./machines.ts";
import { poolMethods } from "./pool.ts";
import { prebuildMethods, prebuildNotices } from "./prebuilds.ts";
import { selfTestMethods } from "./selfTest.ts";
import { sshMethods } from "./ssh.ts";
import { storageMethods } from "./storage.ts";
import { templateMethods, templateNotices } from "./templates.ts";
import { workspaceMethods, workspaceNotices } from "./workspaces.ts";

/** Every request a client may send. */
export const methods = {
  ...branchMethods,
  ...bringBackMethods,
  ...checkpointMethods,
  ...containerMethods,
  ...copyingMethods,
  ...helperMethods,
  ...hostMethods,
  ...imageMethods,
  ...machineMethods,
  ...poolMethods,
  ...prebuildMethods,
  ...selfTestMethods,
  ...sshMethods,
  ...storageMethods,
  ...templateMethods,
  ...workspaceMethods,
};

/** Every notice the helper may send. */
export const notices = {
  ...branchNotices,
  ...copyingNotices,
  ...imageNotices,
  ...machineNotices,
  ...prebuildNotices,
  ...templateNotices,
  ...workspaceNotices,
};

export type MethodName = keyof typeof methods;
export type Params<M extends MethodName> = z.input<
  (typeof methods)[M]["params"]
>;
export type ParsedParams<M extends MethodName> = z.output<
  (typeof methods)[M]["params"]
>;
export type Result<M extends MethodName> = z.output<
  (typeof methods)[M]["result"]
>;

export type NoticeName = keyof typeof notices;
export type NoticeParams<N extends NoticeName> = z.output<
  (typeof notices)[N]["params"]
>;

/** What every handler gets beside its params. */
export interface RequestContext {
  readonly requestId: string;
  readonly signal: AbortSignal;
}

export type Handler<M extends MethodName> = (
  params: ParsedParams<M>,
  context: RequestContext,
) => Promise<Result<M>>;

/** A capability's handlers: forgetting one does not compile. */
export type HandlersOf<M extends MethodName> = {
  readonly [K in M]: Handler<K>;
};
export type Handlers = HandlersOf<MethodName>;
