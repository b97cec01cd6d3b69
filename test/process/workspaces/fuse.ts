import { readFile } from "node:fs/promises";
import { missing } from "../ssh/realSshd.ts";
import { unable } from "./upOverSsh.ts";

const hasFuse =
  process.platform === "linux" &&
  (await readFile("/proc/filesystems", "utf8")).includes("\tfuse\n");

/** Why nothing can be mounted over an SSH server of the test's own; undefined where it can. */
export const noFuse =
  missing ?? unable ?? (hasFuse ? undefined : "the kernel has no FUSE here");
