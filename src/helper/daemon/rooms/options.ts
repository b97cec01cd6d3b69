/*
 * What every room of the helper is made with. The rooms are made in one order, each with those before it: roster, images,
 * known workspaces, machines, folders (`../capabilities.ts`).
 */
import { join } from "node:path";
import type { Log } from "../../../base/log.ts";
import type { NoticeName, NoticeParams } from "../../../protocol/contract.ts";
import type { Layout } from "../../store/layout.ts";

/** What every room is made with. */
export interface RoomOptions {
  readonly layout: Layout;
  readonly log: Log;
  readonly tellAll: <N extends NoticeName>(
    name: N,
    params: NoticeParams<N>,
  ) => void;
}

/** Data that ships beside the bundle: `dist/../resources`. */
export const resourcesFolder = join(__dirname, "..", "resources");
