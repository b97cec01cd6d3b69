import type { Program } from "./programs.mjs";

export declare function missing(programs: Program[]): Program[];
export declare function ensurePrograms(
  programs: Program[],
  options: { purpose: string; assumeYes?: boolean },
): Promise<void>;
