import type { Image } from "../../protocol/images.ts";
import type { Connection } from "../helper/connection.ts";
import { createRecords, type Records } from "../helper/records.ts";

/** The images as notices and the opening list tell them. A name may come back after its image was deleted. */
export function imageRecords(connection: Connection): Records<Image> {
  const records = createRecords<Image>({
    keyOf: ({ name }) => name,
    keysAreReused: true,
  });
  connection.onNotice("images.changed", ({ image }) => records.put(image));
  connection.onNotice("images.removed", ({ name, revision }) =>
    records.remove(name, revision),
  );
  connection.onConnected(async (client) => {
    const sync = records.beginSync();
    const { images } = await client.call("images.list", {});
    sync.finish(images);
  });
  return records;
}
