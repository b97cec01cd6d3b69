import type { Workspace } from "../../protocol/workspaces.ts";
import type { Connection } from "../helper/connection.ts";
import { createRecords, type Records } from "../helper/records.ts";

/** Folders that have, or had, a VM of their own, as notices and the opening list tell them. */
export function workspaceRecords(connection: Connection): Records<Workspace> {
  const records = createRecords<Workspace>({
    keyOf: ({ id }) => id,
    keysAreReused: true,
  });
  connection.onNotice("workspaces.changed", ({ workspace }) =>
    records.put(workspace),
  );
  connection.onNotice("workspaces.removed", ({ id, revision }) =>
    records.remove(id, revision),
  );
  connection.onConnected(async (client) => {
    const sync = records.beginSync();
    const { workspaces } = await client.call("workspaces.list", {});
    sync.finish(workspaces);
  });
  return records;
}
