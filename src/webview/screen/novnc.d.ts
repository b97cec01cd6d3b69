/** The part of noVNC that the page uses; its docs/API.md describes the whole. */
declare module "@novnc/novnc" {
  /** What noVNC takes for a web socket. */
  interface RawChannel {
    binaryType: string;
    readonly protocol: string;
    readonly readyState: string;
    onopen: (() => void) | null;
    onmessage: ((event: { readonly data: ArrayBuffer }) => void) | null;
    onclose: ((event: unknown) => void) | null;
    onerror: ((event: unknown) => void) | null;
    send(data: Uint8Array): void;
    close(): void;
  }

  interface Options {
    readonly shared?: boolean;
  }

  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, channel: RawChannel, options?: Options);
    scaleViewport: boolean;
    viewOnly: boolean;
    focusOnClick: boolean;
    background: string;
    /** A press and release without `down`; with a code that QEMU knows the place of the key counts, not the symbol. */
    sendKey(keysym: number, code: string, down?: boolean): void;
    focus(): void;
    disconnect(): void;
  }
}
