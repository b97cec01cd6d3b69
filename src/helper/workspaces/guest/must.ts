import { failed } from "../../../protocol/failure.ts";
import type { ExecResult } from "../../ssh/session.ts";

/** Our own scripts don't fail in a guest that is whole. */
export async function must(
  what: string,
  running: Promise<ExecResult>,
): Promise<ExecResult> {
  const result = await running;
  if (result.code === 0) return result;
  throw failed(
    "workspaces.setupFailed",
    `The guest did not manage ${what}: ${result.stderr.trim() || `exit code ${String(result.code)}`}.`,
    {
      remedy:
        "The VM is kept. Check that its user may use sudo and that its disk has room, then try again.",
      actions: ["retry", "showLog"],
    },
  );
}
