import * as z from "zod";

/**
 * Every way a request can end badly, as a closed set. The prefix names the capability that declares the code.
 * A code is stable: clients choose buttons and exit codes by it.
 */
export const failureCodes = [
  "helper.versionMismatch",
  "helper.unreachable",
  "helper.pathTooLong",
  "helper.handingOver",
  "host.toolMissing",
  "host.toolFailed",
  "host.diskFull",
  "host.notSupported",
  "host.permission",
  "images.unknown",
  "images.inUse",
  "images.busy",
  "images.exists",
  "images.digestMismatch",
  "images.downloadFailed",
  "images.broken",
  "images.invalid",
  "images.buildFailed",
  "machines.unknown",
  "machines.nameTaken",
  "machines.nameInvalid",
  "machines.wrongState",
  "machines.busy",
  "machines.badRequest",
  "machines.portTaken",
  "machines.startFailed",
  "machines.notReady",
  "machines.stopFailed",
  "machines.seedFailed",
  "machines.handoffFailed",
  "machines.captureFailed",
  "machines.unsavedWork",
  "checkpoints.unknown",
  "templates.unknown",
  "templates.failed",
  "workspaces.failed",
  "workspaces.conflict",
  "ssh.connectFailed",
  "ssh.hostKeyMismatch",
  "ssh.transferFailed",
  "ssh.configFailed",
  "workspaces.configMissing",
  "workspaces.configAmbiguous",
  "workspaces.configInvalid",
  "workspaces.outsideFolder",
  "workspaces.hostPaths",
  "workspaces.imageNotSupported",
  "workspaces.notSupported",
  "workspaces.consentNeeded",
  "workspaces.unknown",
  "workspaces.setupFailed",
  "workspaces.commandFailed",
  "workspaces.containerFailed",
  "workspaces.initializeFailed",
  "workspaces.featureInvalid",
  "workspaces.featureFailed",
  "workspaces.shareFailed",
  "qemu.monitor",
  "request.invalid",
  "request.cancelled",
  "internal.bug",
] as const;

export type FailureCode = (typeof failureCodes)[number];

/** What a client may offer beside the message; each maps to one command of the extension. */
export const remedyActions = [
  "doctor",
  "installTools",
  "showLog",
  "showDiagnosis",
  "openConsole",
  "openVm",
  "retry",
  "bringBack",
  "delete",
  "report",
] as const;
export type RemedyAction = (typeof remedyActions)[number];

export const failureSchema = z.object({
  /** `refused`: wrong state or bad request. `failed`: host, tool, disk or network. `cancelled`: silence. `bug`: a broken invariant. */
  kind: z.enum(["refused", "failed", "cancelled", "bug"]),
  code: z.enum(failureCodes),
  /** A plain sentence: what and why. */
  message: z.string(),
  /** A plain sentence: what mends it. */
  remedy: z.string().optional(),
  actions: z.array(z.enum(remedyActions)).optional(),
  /** The request's id in the helper's log. */
  requestId: z.string().optional(),
});
export type Failure = z.infer<typeof failureSchema>;

/** The only error that crosses rooms on purpose; anything else becomes a `bug` at the RPC edge. */
export class GuesthouseError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure, cause?: unknown) {
    super(failure.message, cause === undefined ? undefined : { cause });
    this.name = "GuesthouseError";
    this.failure = failure;
  }
}

export interface FailureDetails {
  readonly remedy?: string;
  readonly actions?: readonly RemedyAction[];
  readonly cause?: unknown;
}

function make(
  kind: Failure["kind"],
  code: FailureCode,
  message: string,
  details: FailureDetails,
): GuesthouseError {
  const failure: Failure = { kind, code, message };
  if (details.remedy !== undefined) failure.remedy = details.remedy;
  if (details.actions !== undefined) failure.actions = [...details.actions];
  return new GuesthouseError(failure, details.cause);
}

/** The caller asked for something that can't be done in this state or that makes no sense. */
export const refused = (
  code: FailureCode,
  message: string,
  details: FailureDetails = {},
): GuesthouseError => make("refused", code, message, details);

/** The host, a tool, the disk or the network let us down. */
export const failed = (
  code: FailureCode,
  message: string,
  details: FailureDetails = {},
): GuesthouseError => make("failed", code, message, details);

/** Somebody asked us to stop; shown to nobody. */
export const cancelled = (message = "Cancelled."): GuesthouseError =>
  make("cancelled", "request.cancelled", message, {});

/** An invariant of ours is broken. */
export const bug = (message: string, cause?: unknown): GuesthouseError =>
  make("bug", "internal.bug", message, cause === undefined ? {} : { cause });

function isAbort(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === "AbortError" ||
      ("code" in error && error.code === "ABORT_ERR"))
  );
}

function errno(error: unknown): string | undefined {
  return error instanceof Error &&
    "code" in error &&
    typeof error.code === "string"
    ? error.code
    : undefined;
}

/**
 * Turns any thrown value into a `Failure`. Aborts become `cancelled`, a full disk and missing permission their own
 * codes (whatever room they come from), everything unknown a `bug`.
 */
export function toFailure(error: unknown): Failure {
  if (error instanceof GuesthouseError) return error.failure;
  if (isAbort(error)) return cancelled().failure;
  const message = error instanceof Error ? error.message : String(error);
  switch (errno(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return failed("host.diskFull", `The disk is full: ${message}.`, {
        remedy:
          "Free some space or point GUESTHOUSE_HOME at a larger disk, then try again.",
      }).failure;
    case "EACCES":
    case "EPERM":
      return failed(
        "host.permission",
        `The system refused access: ${message}.`,
        {
          remedy:
            "Check the owner and mode of the data folder, then try again.",
        },
      ).failure;
    default:
      return bug(
        `Something unexpected went wrong inside Guesthouse: ${message}`,
      ).failure;
  }
}
