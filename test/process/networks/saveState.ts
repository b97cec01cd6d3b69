import { join } from "node:path";
import type { Live } from "../../../src/helper/machines/roster/entry.ts";
import { endProcess, waitForExit } from "../../../src/helper/qemu/process.ts";
import { captureForGood } from "../../../src/helper/snapshots/capture.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";

/** Keeps a machine's memory in a file of its own and ends its QEMU; answers the file. */
export async function saveState(
  live: Live,
  files: MachineFiles,
  layout: Layout,
): Promise<string> {
  const statePath = join(files.folder, `kept-${String(live.handles.pid)}`);
  await captureForGood(
    { qmp: live.qmp!, layout, files, statePath },
    new AbortController().signal,
  );
  live.qmp?.close();
  await endProcess(live.handles, "SIGKILL");
  await waitForExit(live.handles, 5_000);
  return statePath;
}
