import type { Log } from "../../base/log.ts";
import type { Accelerator } from "../../protocol/host.ts";
import type { QemuArchitecture } from "../qemu/commandLine.ts";

export interface AcceleratorRequest {
  readonly binary: string;
  readonly arch: QemuArchitecture;
  /** `layout.accelerator` */
  readonly cachePath: string;
  readonly log: Log;
  /** Try again instead of using the remembered result. */
  readonly retry?: boolean;
}
export declare function chooseAccelerator(
  request: AcceleratorRequest,
  signal?: AbortSignal,
): Promise<Accelerator>;
