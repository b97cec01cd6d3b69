/*
 * The serving end of the wire. It owns one client's connection, checks each request against the contract before its handler
 * sees it, and gives every failure its form: nothing that is thrown reaches a client unformed. The daemon calls it for
 * each socket that connects.
 */
import type { Socket } from "node:net";
import { type CancellationToken, ResponseError } from "vscode-jsonrpc/node";
import type { Log } from "../base/log.ts";
import {
  type Handlers,
  type MethodName,
  methods,
  type NoticeName,
  type NoticeParams,
} from "../protocol/contract.ts";
import {
  type Failure,
  GuesthouseError,
  refused,
  toFailure,
} from "../protocol/failure.ts";
import { messageConnection } from "./transport.ts";

/** JSON-RPC error code of every failure of ours; the failure itself is in `data`. */
export const failureErrorCode = -32000;

export interface Peer {
  notify<N extends NoticeName>(name: N, params: NoticeParams<N>): void;
  close(): void;
}

export interface PeerEvents {
  /** After each request, whatever came of it. */
  readonly answered: () => void;
  readonly closed: () => void;
}

let requestCount = 0;

/**
 * Serves one client on a connected socket until it goes. What no room made a failure of becomes a `bug` here, by
 * `toFailure`; its cause stays in the log, found by the request's id.
 */
export function serve(
  socket: Socket,
  handlers: Handlers,
  log: Log,
  events: PeerEvents,
): Peer {
  const connection = messageConnection(socket);
  let open = true;

  const answer = async (
    method: MethodName,
    params: unknown,
    token: CancellationToken,
  ): Promise<unknown> => {
    const requestId = `r${String(++requestCount)}`;
    const requestLog = log.with({ request: requestId, method });
    const controller = new AbortController();
    token.onCancellationRequested(() => controller.abort());
    if (token.isCancellationRequested) controller.abort();
    const startedAt = performance.now();
    try {
      const parsed = methods[method].params.safeParse(params ?? {});
      if (!parsed.success) throw invalidParams(method, parsed.error.issues);
      const handler = handlers[method] as (
        params: unknown,
        context: { requestId: string; signal: AbortSignal },
      ) => Promise<unknown>;
      const result = await handler(parsed.data, {
        requestId,
        signal: controller.signal,
      });
      requestLog.debug("answered", {
        tookMs: Math.round(performance.now() - startedAt),
      });
      return result;
    } catch (error) {
      const failure: Failure = { ...toFailure(error), requestId };
      const cause = error instanceof GuesthouseError ? error.cause : error;
      requestLog[failure.kind === "bug" ? "error" : "info"]("did not succeed", {
        failure,
        cause,
      });
      throw new ResponseError(failureErrorCode, failure.message, failure);
    } finally {
      events.answered();
    }
  };

  for (const method of Object.keys(methods) as MethodName[]) {
    connection.onRequest(method, (params: unknown, token: CancellationToken) =>
      answer(method, params, token),
    );
  }
  connection.onClose(() => {
    open = false;
    connection.dispose();
    events.closed();
  });
  connection.listen();

  return {
    notify(name, params) {
      if (open)
        void connection.sendNotification(name, params).catch(() => undefined);
    },
    close() {
      socket.end();
    },
  };
}

function invalidParams(
  method: string,
  issues: readonly { path: PropertyKey[]; message: string }[],
): GuesthouseError {
  // Bounds of the contract (protocol/limits.ts) are sentences of their own.
  const sentences = new Set(issues.map(({ message }) => message));
  if ([...sentences].every((message) => message.endsWith(".")))
    return refused("request.invalid", [...sentences].join(" "));
  const detail = issues
    .map(
      ({ path, message }) =>
        `${path.map(String).join(".") || "params"}: ${message}`,
    )
    .join("; ");
  return refused(
    "request.invalid",
    `The request ${method} makes no sense: ${detail}.`,
  );
}
