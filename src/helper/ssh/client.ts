/*
 * One SSH connection to a guest, from TCP to a login. It owns socket and client until the login; then whoever asked owns
 * the client. Each way to end is a value, never a bare error, so that callers can tell a guest that isn't up yet from
 * one that refuses us. Sessions (session.ts), the boot's readiness and the diagnosis call it.
 */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import ssh2, { type Client, type ConnectConfig } from "ssh2";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { ciphers, hostKeyAlgorithms, keyExchanges } from "./algorithms.ts";
import { bannerIn, ourIdentification } from "./banner.ts";
import { publicKeyBody } from "./keys.ts";
import type { ConnectOptions, SshTarget, StrangerTarget } from "./target.ts";

export type ConnectFailure =
  /** Nobody identified as an SSH server in time. */
  | { readonly kind: "noBanner"; readonly waitedMs: number }
  /** Refused, reset or closed; `afterMs` tells an answer of the guest from the silence of one that is not up. */
  | {
      readonly kind: "broken";
      readonly detail: string;
      readonly afterMs: number;
      readonly banner: boolean;
    }
  | { readonly kind: "hostKeyMismatch"; readonly shown: string }
  | { readonly kind: "loginRefused"; readonly detail: string };

export type ConnectOutcome =
  { readonly kind: "open"; readonly client: Client } | ConnectFailure;

/**
 * One connection from TCP to a login, each way to end as a value. The same connection serves as the probe for the
 * server's identification: under emulation every connection costs the guest a process start.
 * Throws only the signal's reason, and a malformed key.
 */
export function openClient(
  target: SshTarget,
  options: ConnectOptions = {},
  signal?: AbortSignal,
): Promise<ConnectOutcome> {
  const { privateKey } = target;
  const { base64 } = publicKeyBody(target.hostKey);
  return open({ ...target, login: { privateKey } }, base64, options, signal);
}

/** The same where the server's key can't be known; throws for a private key that can't be read without its passphrase, too. */
export const openStranger = (
  target: StrangerTarget,
  options: ConnectOptions = {},
  signal?: AbortSignal,
): Promise<ConnectOutcome> => open(target, undefined, options, signal);

async function open(
  target: StrangerTarget,
  expected: string | undefined,
  options: ConnectOptions,
  signal: AbortSignal | undefined,
): Promise<ConnectOutcome> {
  signal?.throwIfAborted();
  const startedAt = performance.now();
  const { promise, resolve } = promiseWithResolvers<ConnectOutcome>();
  const client = new ssh2.Client();
  const socket = connect({ host: target.host, port: target.port });
  socket.setNoDelay(true);
  const bannerTimeoutMs = options.bannerTimeoutMs ?? 10_000;
  const loginTimeoutMs = options.loginTimeoutMs ?? 20_000;
  let banner = false;
  let timer = setTimeout(
    () => resolve({ kind: "noBanner", waitedMs: bannerTimeoutMs }),
    bannerTimeoutMs,
  );
  const broken = (detail: string): void =>
    resolve({
      kind: "broken",
      detail,
      afterMs: performance.now() - startedAt,
      banner,
    });
  const onAbort = (): void => broken("aborted");
  signal?.addEventListener("abort", onAbort, { once: true });

  client.on("ready", () => resolve({ kind: "open", client }));
  client.on("error", (error) => {
    if ("level" in error && error.level === "client-authentication")
      resolve({ kind: "loginRefused", detail: error.message });
    else broken(error.message);
  });
  client.on("close", () => broken("the other side closed it"));

  try {
    client.connect(
      loginOver(socket, target, expected, (shown) =>
        resolve({ kind: "hostKeyMismatch", shown }),
      ),
    );
  } catch (error) {
    // A key that can't be read.
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    socket.destroy();
    throw error;
  }
  onBannerOf(socket, (line) => {
    banner = true;
    clearTimeout(timer);
    timer = setTimeout(
      () => broken(`no login within ${String(loginTimeoutMs)} ms`),
      loginTimeoutMs,
    );
    options.onBanner?.(line);
  });
  try {
    const outcome = await promise;
    signal?.throwIfAborted();
    return outcome;
  } catch (error) {
    client.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    if ((await promise).kind !== "open") {
      client.destroy();
      socket.destroy();
    }
  }
}

/** Reads along on the stream that a client parses, until the server has identified itself. */
function onBannerOf(socket: Socket, identified: (line: string) => void): void {
  let received = "";
  const readAlong = (chunk: Buffer): void => {
    received += chunk.toString("latin1");
    const line = bannerIn(received);
    if (line === undefined) return;
    socket.off("data", readAlong);
    identified(line);
  };
  socket.on("data", readAlong);
}

/** As whom, and which key the server may show: any, where `expected` is undefined. */
const loginOver = (
  socket: Socket,
  { user, login }: StrangerTarget,
  expected: string | undefined,
  onMismatch: (shown: string) => void,
): ConnectConfig => ({
  ...algorithms,
  sock: socket,
  ident: ourIdentification.slice("SSH-2.0-".length),
  username: user,
  ...login,
  authHandler: ["password" in login ? "password" : "publickey"],
  readyTimeout: 0,
  keepaliveInterval: 15_000,
  hostVerifier: (key: Buffer) => {
    if (expected === undefined || key.toString("base64") === expected)
      return true;
    onMismatch(fingerprint(key));
    return false;
  },
});

const algorithms: Pick<ConnectConfig, "algorithms"> = {
  algorithms: {
    kex: [...keyExchanges],
    serverHostKey: [...hostKeyAlgorithms],
    cipher: [...ciphers],
  },
};

/** As `ssh-keygen -l` prints it. */
const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
