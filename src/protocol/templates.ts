import * as z from "zod";
import { cpusSchema, diskGiBSchema, memoryMiBSchema } from "./limits.ts";
import { failureSchema } from "./failure.ts";
import { notice, request } from "./method.ts";

/** What a template was made for; a clone of another shape needs another template. */
export const templateShapeSchema = z.object({
  cpus: z.number().int(),
  memoryMiB: z.number().int(),
  diskGiB: z.number(),
  user: z.string(),
  /** With a display, a keyboard and a pointer; absent: without. */
  screen: z.literal(true).optional(),
});
export type TemplateShape = z.infer<typeof templateShapeSchema>;

export const templateSchema = z.object({
  /** 16 hex digits, from everything that a clone must share with it. */
  id: z.string(),
  image: z.object({ name: z.string(), digest: z.string() }),
  shape: templateShapeSchema,
  state: z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("making"),
      /** `boot`, `settle`, `save`. */
      stage: z.string(),
      sinceMs: z.number(),
    }),
    z.object({ kind: z.literal("ready") }),
    z.object({ kind: z.literal("failed"), failure: failureSchema }),
  ]),
  /** Really taken on the host: memory, device state and disk. */
  sizeBytes: z.number(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime(),
  /** Clones of it that wait to become machines; absent where there are none and none are wanted. */
  pool: z
    .object({
      wanted: z.number().int(),
      ready: z.number().int(),
      /** Proportional share of all of them where the system tells it, when it was last looked at. */
      memoryBytes: z.number(),
    })
    .optional(),
  /** Grows with every change of this record. */
  revision: z.number().int(),
});
export type Template = z.infer<typeof templateSchema>;

export const templateMethods = {
  "templates.list": request(
    z.object({}),
    z.object({ templates: z.array(templateSchema) }),
  ),
  /** Makes the template that clones of this image and shape resume from; answers at once when there is one. */
  "templates.warmUp": request(
    z.object({
      image: z.string(),
      cpus: cpusSchema.optional(),
      memoryMiB: memoryMiBSchema.optional(),
      diskGiB: diskGiBSchema.optional(),
      screen: z.boolean().optional(),
    }),
    z.object({ template: templateSchema }),
  ),
  "templates.delete": request(
    z.object({ id: z.string() }),
    z.object({ freedBytes: z.number() }),
  ),
};

export const templateNotices = {
  "templates.changed": notice(z.object({ template: templateSchema })),
  "templates.removed": notice(
    z.object({ id: z.string(), revision: z.number().int() }),
  ),
};
