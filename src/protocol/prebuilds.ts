import * as z from "zod";
import { imageSchema } from "./images.ts";
import { notice, request } from "./method.ts";
import { configWarningSchema, upSchema, upStages } from "./workspaces.ts";

/** Nothing that is a person's own goes into an image. */
const personal = {
  secrets: true,
  dotfiles: true,
  gitIdentity: true,
  gitCredentials: true,
  agentForwarding: true,
  serverFolder: true,
} as const;
const order = upSchema
  .omit({ prebuild: true, until: true, files: true, ...personal })
  .extend({
    /** Make it although there is one of the same file and the same content. */
    force: z.boolean().optional(),
  });

/** A prebuild on its way: the stages of an `up`, then what follows on them. */
export const prebuildStages = [...upStages, "generalise", "keep"] as const;
export type PrebuildStage = (typeof prebuildStages)[number];

/** Images of folders that were brought up, for new VMs to begin with. */
export const prebuildMethods = {
  /**
   * Makes an image of what the folder's VM is after `updateContentCommand`, in a VM of its own that is deleted again. An
   * `up` that makes a new VM takes it where it fits. Refuses and fails as `up` does.
   */
  "prebuilds.make": request(
    order,
    z.object({
      image: imageSchema,
      /** False: it was here already. */
      made: z.boolean(),
      notes: z.array(z.string()),
      warnings: z.array(configWarningSchema),
      stages: z.array(
        z.object({ stage: z.enum(prebuildStages), tookMs: z.number() }),
      ),
    }),
  ),
};

export const prebuildNotices = {
  "prebuilds.progress": notice(
    z.object({
      folder: z.string(),
      /** Of its log, for `workspaces.logged` and `workspaces.log`. */
      logId: z.string(),
      stage: z.enum(prebuildStages),
      /** Of the stage, where that is known. */
      fraction: z.number().optional(),
    }),
  ),
};
