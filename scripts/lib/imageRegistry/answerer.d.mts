import type { AskedRequest } from "../imageRegistry.mjs";
import type { Protocol } from "./protocol.mjs";
export function startAnswerer(
  protocol: Protocol,
  identity: { readonly certificate: string; readonly key: string },
  options: {
    readonly address: string;
    readonly port: number;
    readonly onward: boolean;
  },
): Promise<{
  readonly requests: AskedRequest[];
  readonly port: number;
  readonly securePort: number;
  readonly close: () => Promise<void>;
}>;
