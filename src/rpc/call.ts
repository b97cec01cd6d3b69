/*
 * The calling end of the wire. It owns one connection to a helper: every call ends, by its answer, its signal or the end of
 * the connection, and a failure comes back as the one that the helper meant. `launch.ts` makes clients; windows and command
 * lines call by them.
 */
import type { Socket } from "node:net";
import {
  CancellationTokenSource,
  ConnectionError,
  ErrorCodes,
  ResponseError,
} from "vscode-jsonrpc/node";
import type {
  MethodName,
  NoticeName,
  NoticeParams,
  Params,
  Result,
} from "../protocol/contract.ts";
import {
  cancelled,
  failed,
  failureSchema,
  GuesthouseError,
  bug,
} from "../protocol/failure.ts";
import { messageConnection } from "./transport.ts";

export interface RpcClient {
  /** Sends a request. Throws `GuesthouseError`s only. Aborting cancels it in the helper, too. */
  call<M extends MethodName>(
    method: M,
    params: Params<M>,
    signal?: AbortSignal,
  ): Promise<Result<M>>;
  /** Hears every notice of this name until the returned function is called. */
  onNotice<N extends NoticeName>(
    name: N,
    listener: (params: NoticeParams<N>) => void,
  ): () => void;
  /** Settles when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Speaks the contract over a connected socket. */
export function createClient(socket: Socket): RpcClient {
  const connection = messageConnection(socket);
  const listeners = new Map<NoticeName, Set<(params: never) => void>>();
  const closed = new Promise<void>((resolve) => {
    connection.onClose(() => {
      // Disposing rejects every pending request; without it they would wait for ever.
      connection.dispose();
      resolve();
    });
  });
  connection.listen();

  return {
    closed,
    async call(method, params, signal) {
      if (signal?.aborted === true) throw cancelled();
      const source = new CancellationTokenSource();
      const abort = (): void => source.cancel();
      signal?.addEventListener("abort", abort, { once: true });
      try {
        return await connection.sendRequest(method, params, source.token);
      } catch (error) {
        throw asGuesthouseError(error);
      } finally {
        signal?.removeEventListener("abort", abort);
        source.dispose();
      }
    },
    onNotice(name, listener) {
      let set = listeners.get(name);
      if (set === undefined) {
        const created = new Set<(params: never) => void>();
        listeners.set(name, created);
        connection.onNotification(name, (params: unknown) => {
          for (const each of created) each(params as never);
        });
        set = created;
      }
      set.add(listener);
      const heard = set;
      return () => heard.delete(listener);
    },
    close() {
      socket.end();
    },
  };
}

/**
 * What a request of a lost connection fails with. Which one depends on the moment: before the request is written, while it
 * is (the socket's EPIPE comes as MessageWriteError), or after it.
 */
const lostCodes: ReadonlySet<number> = new Set([
  ErrorCodes.PendingResponseRejected,
  ErrorCodes.ConnectionInactive,
  ErrorCodes.MessageWriteError,
  ErrorCodes.MessageReadError,
]);

const lostSocketCodes: ReadonlySet<unknown> = new Set([
  "EPIPE",
  "ECONNRESET",
  "ECONNABORTED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

const isLost = (error: NodeJS.ErrnoException): boolean =>
  lostSocketCodes.has(error.code) || /closed|disposed/i.test(error.message);

function asGuesthouseError(error: unknown): GuesthouseError {
  if (error instanceof ResponseError) {
    const failure = failureSchema.safeParse(error.data);
    if (failure.success) return new GuesthouseError(failure.data, error);
    if (lostCodes.has(error.code)) return gone(error);
    if (error.code === ErrorCodes.MethodNotFound)
      return failed(
        "helper.versionMismatch",
        "The running helper doesn't know this request: it is older than this program.",
        {
          remedy: "Run `guesthouse daemon stop` and try again.",
          cause: error,
        },
      );
  }
  if (error instanceof ConnectionError) return gone(error);
  if (error instanceof Error && isLost(error)) return gone(error);
  return bug(
    `The helper gave an answer that makes no sense: ${String(error)}`,
    error,
  );
}

const gone = (cause: unknown): GuesthouseError =>
  failed(
    "helper.unreachable",
    "The connection to the Guesthouse helper was lost.",
    {
      remedy:
        "Try again: the helper is started anew, and running machines go on.",
      actions: ["retry", "showLog"],
      cause,
    },
  );
