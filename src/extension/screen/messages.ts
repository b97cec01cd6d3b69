import type { Stroke } from "./layouts.ts";

/** What a button of the panel's notice does. */
export type NoticeAction = "start" | "addScreen";

/** What is shown in the place of a picture. */
export interface Notice {
  readonly text: string;
  readonly action?: { readonly id: NoticeAction; readonly label: string };
}

/** What the page keeps for itself, and after a reload of the window gets back. */
export interface PageState {
  /** A key of `SubjectOf`. */
  readonly subject: string;
  readonly fit: boolean;
  readonly readOnly: boolean;
  /** Keyboard layout of the guest, for text that is typed. */
  readonly layout: string;
}

/** From the extension to the page. A connection has a number, so that what an old one said is told apart. */
export type ToPage =
  | { readonly kind: "notice"; readonly notice: Notice | undefined }
  | { readonly kind: "connected"; readonly connection: number }
  /** What QEMU's VNC server says. */
  | {
      readonly kind: "bytes";
      readonly connection: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "ended"; readonly connection: number }
  | { readonly kind: "type"; readonly strokes: readonly Stroke[] };

/** From the page to the extension. */
export type FromPage =
  /** It has begun, also again: after it was hidden or moved it starts anew. */
  | { readonly kind: "ready" }
  | {
      readonly kind: "bytes";
      readonly connection: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "act"; readonly action: NoticeAction }
  | { readonly kind: "typeClipboard"; readonly layout: string };
