import type {
  MethodName,
  NoticeName,
  NoticeParams,
  Params,
  Result,
} from "../../protocol/contract.ts";
import type { Failure } from "../../protocol/failure.ts";
import type { HelperStatus } from "../../protocol/helper.ts";
import type { RpcClient } from "../../rpc/call.ts";
import { createEmitter } from "../../base/emitter.ts";

/** Sends a request, after connecting when needed. Throws `GuesthouseError`s only. */
export type Call = <M extends MethodName>(
  method: M,
  params: Params<M>,
  signal?: AbortSignal,
) => Promise<Result<M>>;

export type OnNotice = <N extends NoticeName>(
  name: N,
  listener: (params: NoticeParams<N>) => void,
) => () => void;

export type ConnectionState =
  /** Nobody has asked for anything yet, or the window let go on purpose. */
  | { readonly kind: "idle" }
  | { readonly kind: "connecting" }
  | { readonly kind: "connected"; readonly status: HelperStatus }
  /** Lost and not found again; the next request tries anew. */
  | { readonly kind: "failed"; readonly failure: Failure };

/** What finds or starts a helper: `ensureHelper` with this window's options. */
export type Open = (
  signal: AbortSignal,
) => Promise<{ readonly client: RpcClient; readonly status: HelperStatus }>;

/** Runs on each new connection, before `settled` does. */
export type OnConnected = (client: RpcClient) => Promise<void> | void;

export interface ConnectionOptions {
  readonly open: Open;
  readonly toFailure: (error: unknown) => Promise<Failure>;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Pauses between tries after a loss, in milliseconds. */
  readonly backOffMs?: readonly number[];
}

const defaultBackOffMs = [100, 500, 2_000, 5_000, 10_000];

/**
 * The window's one connection to the helper: made at the first request, found again after a loss for as long as the
 * window lives, so that notices keep coming. Guests don't care either way.
 *
 *     idle ──call──► connecting ──► connected ──closed──► connecting (again, with pauses)
 *                        └──────────► failed ◄── no try left
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #end = new AbortController();
  readonly #states = createEmitter<ConnectionState>();
  readonly #hooks: OnConnected[] = [];
  /** Attaches one listener to a client; kept for the clients to come. */
  readonly #attachments = new Set<(client: RpcClient) => void>();
  #state: ConnectionState = { kind: "idle" };
  #client: RpcClient | undefined;
  #status: HelperStatus | undefined;
  #opening: Promise<RpcClient> | undefined;
  #settled: Promise<void> = Promise.resolve();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  readonly onDidChangeState = this.#states.on;

  readonly call: Call = async (method, params, signal) => {
    const client = await this.connect();
    return client.call(method, params, signal);
  };

  readonly onNotice: OnNotice = (name, listener) => {
    let detach: (() => void) | undefined;
    const attach = (client: RpcClient): void => {
      detach = client.onNotice(name, listener);
    };
    this.#attachments.add(attach);
    if (this.#client !== undefined) attach(this.#client);
    return () => {
      this.#attachments.delete(attach);
      detach?.();
    };
  };

  onConnected(hook: OnConnected): void {
    this.#hooks.push(hook);
  }

  /** Connects and waits until the lists have been read; never throws, the state tells. */
  async settled(): Promise<void> {
    await this.connect().catch(() => undefined);
    await this.#settled;
  }

  connect(): Promise<RpcClient> {
    return this.#connect(true);
  }

  /** Reads the lists anew, connecting when needed. */
  async refresh(): Promise<void> {
    const before = this.#client;
    const client = await this.connect();
    if (client === before) this.#settled = this.#settle(client);
    await this.#settled;
  }

  /** Ends the helper and connects to a new one, which adopts the guests. */
  async restart(): Promise<void> {
    const client = await this.connect().catch(() => undefined);
    if (client !== undefined) {
      const closed = client.closed;
      // A helper that ends before its answer is through has done what it was asked for.
      await Promise.race([
        client.call("helper.stop", { reason: "handOver" }),
        closed,
      ]);
      await closed;
    }
    await this.connect();
  }

  /** Lets go of this helper, e.g. because the data folder is another one now, and connects anew. */
  async reconnect(): Promise<void> {
    this.#drop();
    await this.connect();
  }

  dispose(): void {
    this.#end.abort();
    this.#drop();
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
    this.#become({ kind: "idle" });
  }

  async #connect(tellFailure: boolean): Promise<RpcClient> {
    this.#end.signal.throwIfAborted();
    if (this.#client !== undefined) return this.#client;
    this.#opening ??= this.#open(tellFailure).finally(
      () => (this.#opening = undefined),
    );
    return this.#opening;
  }

  async #open(tellFailure: boolean): Promise<RpcClient> {
    this.#become({ kind: "connecting" });
    try {
      const { client, status } = await this.#options.open(this.#end.signal);
      this.#client = client;
      this.#status = status;
      for (const attach of this.#attachments) attach(client);
      void client.closed.then(() => this.#lost(client));
      this.#settled = this.#settle(client);
      this.#become({ kind: "connected", status });
      return client;
    } catch (error) {
      const failure = await this.#options.toFailure(error);
      if (this.#end.signal.aborted) this.#become({ kind: "idle" });
      else if (tellFailure) this.#become({ kind: "failed", failure });
      throw error;
    }
  }

  /** One hook after the other: later ones build on what earlier ones read. */
  async #settle(client: RpcClient): Promise<void> {
    let failure: Failure | undefined;
    for (const hook of this.#hooks) {
      try {
        await hook(client);
      } catch (error) {
        failure ??= await this.#options.toFailure(error);
      }
    }
    // A connection that was lost while the lists were read is told by `#lost`.
    if (this.#client !== client || this.#status === undefined) return;
    if (failure !== undefined) this.#become({ kind: "failed", failure });
    else if (this.#state.kind === "failed")
      this.#become({ kind: "connected", status: this.#status });
  }

  #lost(client: RpcClient): void {
    // Only the client in use counts: one that was dropped on purpose closes, too.
    if (this.#client !== client) return;
    this.#client = undefined;
    void this.#findAgain();
  }

  async #findAgain(): Promise<void> {
    const { sleep, backOffMs = defaultBackOffMs } = this.#options;
    for (const [index, pauseMs] of backOffMs.entries()) {
      try {
        await sleep(pauseMs, this.#end.signal);
        // Only the last try's failure is news.
        await this.#connect(index === backOffMs.length - 1);
        return;
      } catch {
        if (this.#end.signal.aborted) return;
      }
    }
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#states.fire(state);
  }
}
