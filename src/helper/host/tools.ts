import type { QemuArchitecture } from "../qemu/commandLine.ts";

export interface Tool {
  readonly path: string;
  readonly version: string;
}
export const toolNames = [
  "qemuSystem",
  "qemuImg",
  "ssh",
  "mmdebstrap",
  "passt",
] as const;
export type ToolName = (typeof toolNames)[number];
export type Tools = { readonly [K in ToolName]?: Tool };

/** `qemuSystem` is the one for `arch`, default the host's. */
export declare function findTools(
  arch?: QemuArchitecture,
  signal?: AbortSignal,
): Promise<Tools>;
/** The tool, or `failed("host.toolMissing")` with the command that installs it. */
export declare function requireTool(tools: Tools, name: ToolName): Tool;
