import type { Machine } from "../../protocol/machines.ts";
import type { Connection } from "../helper/connection.ts";
import { createRecords, type Records } from "../helper/records.ts";

/** The machines as notices and the opening list tell them. */
export function machineRecords(connection: Connection): Records<Machine> {
  const records = createRecords<Machine>({
    keyOf: ({ id }) => id,
    keysAreReused: false,
  });
  connection.onNotice("machines.changed", ({ machine }) =>
    records.put(machine),
  );
  connection.onNotice("machines.removed", ({ id, revision }) =>
    records.remove(id, revision),
  );
  connection.onConnected(async (client) => {
    const sync = records.beginSync();
    const { machines } = await client.call("machines.list", {});
    sync.finish(machines);
  });
  return records;
}
