import * as z from "zod";
import { request } from "./method.ts";
import { machineSchema, waitShape } from "./machines.ts";

const of = z.object({
  /** Name, alias or id of the machine. */
  machine: z.string(),
  /** Id of one of its checkpoints, or its note when only one has it. */
  checkpoint: z.string(),
});
const answer = z.object({ machine: machineSchema });

export const checkpointMethods = {
  /** Keeps what the machine is at this moment: its disk, and its memory while it runs, which pauses it for a moment. */
  "checkpoints.create": request(
    z.object({
      machine: z.string(),
      note: z.string().max(200).optional(),
      /** Default: true while the machine lives. */
      memory: z.boolean().optional(),
      /** Made before a risky operation, not because the user asked for it. */
      automatic: z.boolean().optional(),
    }),
    answer.extend({
      checkpoint: z.string(),
      /** How long the guest stood still. */
      pausedMs: z.number(),
    }),
  ),
  /** Puts the machine back to a checkpoint; what happened since is lost, unless it is kept as a checkpoint of its own. */
  "checkpoints.rollBack": request(
    of.extend({
      /** Keep the present state as an automatic checkpoint first. */
      keepPresent: z.boolean().optional(),
      /** Leave the checkpoint's memory: the machine boots from its disk. */
      diskOnly: z.boolean().optional(),
      ...waitShape,
    }),
    answer,
  ),
  /** Makes a new machine that begins where the checkpoint was taken. */
  "checkpoints.branch": request(
    of.extend({ name: z.string().optional(), ...waitShape }),
    answer,
  ),
  "checkpoints.delete": request(of, answer.extend({ freedBytes: z.number() })),
};
