import type { Credentials } from "../imageRegistry.mjs";
import type { Store } from "./store.mjs";
export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}
export class Protocol {
  constructor(store: Store);
  readonly demands: Map<string, Credentials>;
  readonly pages: Map<string, string | Uint8Array>;
  answer(asked: {
    readonly host: string;
    readonly method: string;
    readonly url: URL;
    readonly authorization: string | undefined;
  }): Promise<Answer>;
}
