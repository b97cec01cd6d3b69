import type { RawChannel } from "@novnc/novnc";

/** What noVNC takes for a web socket, over messages to the extension. */
export class MessageChannelSocket implements RawChannel {
  binaryType = "arraybuffer";
  readonly protocol = "";
  readyState = "open";
  onopen: RawChannel["onopen"] = null;
  onmessage: RawChannel["onmessage"] = null;
  onclose: RawChannel["onclose"] = null;
  onerror: RawChannel["onerror"] = null;
  readonly #out: (bytes: Uint8Array) => void;

  constructor(out: (bytes: Uint8Array) => void) {
    this.#out = out;
  }

  /** noVNC writes over its buffer after this. */
  send(data: Uint8Array): void {
    this.#out(data.slice());
  }

  take(bytes: Uint8Array): void {
    const { buffer, byteOffset, byteLength } = bytes;
    const data = buffer.slice(
      byteOffset,
      byteOffset + byteLength,
    ) as ArrayBuffer;
    this.onmessage?.({ data });
  }

  close(): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.onclose?.({ code: 1000, reason: "" });
  }
}
