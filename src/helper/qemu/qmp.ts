import type { Disposer } from "../../base/disposables.ts";

export interface QmpVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
}

export interface QmpEvent {
  /** Upper case, e.g. `SHUTDOWN`. */
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970, by the host's clock. */
  readonly atMs: number;
}

export interface ExecuteOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

/** One connection to QEMU's monitor; QEMU serves one at a time, further ones wait in its queue. */
export interface Qmp {
  readonly version: QmpVersion;
  readonly execute: (
    command: string,
    args?: Readonly<Record<string, unknown>>,
    options?: ExecuteOptions,
    signal?: AbortSignal,
  ) => Promise<unknown>;
  readonly onEvent: (listener: (event: QmpEvent) => void) => Disposer;
  /** Resolves when the connection has ended, whoever ended it; never rejects. */
  readonly closed: Promise<void>;
  readonly close: () => void;
}

export interface QmpOptions {
  /** For connecting, greeting and negotiation together. */
  readonly timeoutMs: number;
}

export declare function connectQmp(
  socketPath: string,
  options: QmpOptions,
  signal?: AbortSignal,
): Promise<Qmp>;
