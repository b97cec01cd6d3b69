import { connect, type Socket } from "node:net";

/**
 * Opens a machine's screen: QEMU's VNC server on a unix socket. The extension runs where the helper does, so nobody
 * stands between. Windows is the exception to come: Node opens named pipes there and no unix sockets, and QEMU's VNC
 * knows no pipes; what remains is a loopback port with a password for each start.
 */
const openScreen = (socketPath: string): Socket =>
  connect({ path: socketPath });

export interface BridgeEvents {
  readonly connected: () => void;
  /** A copy: nobody else writes to it. */
  readonly bytes: (bytes: Uint8Array) => void;
  /** Once, for whatever reason, and not after `end`. */
  readonly ended: () => void;
}

/** A connection to a screen, both ways, in pieces as they come. */
export interface Bridge {
  readonly send: (bytes: Uint8Array) => void;
  readonly end: () => void;
}

export function bridgeTo(socketPath: string, events: BridgeEvents): Bridge {
  const socket = openScreen(socketPath);
  let open = true;
  socket.once("connect", events.connected);
  // A Buffer is a view into a pool; the editor passes on whole buffers only.
  socket.on("data", (bytes) => events.bytes(new Uint8Array(bytes)));
  // What went wrong is told by `close`, which follows.
  socket.on("error", () => undefined);
  socket.once("close", () => {
    if (open) events.ended();
    open = false;
  });
  return {
    send(bytes) {
      if (open) socket.write(bytes);
    },
    end() {
      open = false;
      socket.destroy();
    },
  };
}
