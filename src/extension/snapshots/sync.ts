import type { Template } from "../../protocol/templates.ts";
import type { Connection } from "../helper/connection.ts";
import { createRecords, type Records } from "../helper/records.ts";

/**
 * The templates as notices and the opening list tell them. An id says what a template is made of, so it comes back
 * when the template is made again.
 */
export function templateRecords(connection: Connection): Records<Template> {
  const records = createRecords<Template>({
    keyOf: ({ id }) => id,
    keysAreReused: true,
  });
  connection.onNotice("templates.changed", ({ template }) =>
    records.put(template),
  );
  connection.onNotice("templates.removed", ({ id, revision }) =>
    records.remove(id, revision),
  );
  connection.onConnected(async (client) => {
    const sync = records.beginSync();
    const { templates } = await client.call("templates.list", {});
    sync.finish(templates);
  });
  return records;
}
