import * as z from "zod";
import { visible } from "../../../base/visible.ts";
import { type GuesthouseError, refused } from "../../../protocol/failure.ts";
import { parseJsonc } from "../devcontainer/jsonc.ts";
import { commandSchema, environmentSchema } from "../devcontainer/model.ts";

const optionSchema = z.looseObject({
  type: z.enum(["string", "boolean"]).optional(),
  enum: z.array(z.string()).optional(),
  proposals: z.array(z.string()).optional(),
  default: z.union([z.string(), z.boolean()]).optional(),
});

const metadataSchema = z.looseObject({
  id: z.string().min(1),
  version: z.string().optional(),
  name: z.string().optional(),
  options: z.record(z.string(), optionSchema).optional(),
  containerEnv: environmentSchema.optional(),
  dependsOn: z.record(z.string(), z.unknown()).optional(),
  installsAfter: z.array(z.string()).optional(),
  legacyIds: z.array(z.string()).optional(),
  deprecated: z.boolean().optional(),
  customizations: z.record(z.string(), z.unknown()).optional(),
  mounts: z.array(z.unknown()).optional(),
  entrypoint: z.string().optional(),
  onCreateCommand: commandSchema.optional(),
  updateContentCommand: commandSchema.optional(),
  postCreateCommand: commandSchema.optional(),
  postStartCommand: commandSchema.optional(),
  postAttachCommand: commandSchema.optional(),
});
/** A devcontainer-feature.json. */
export type FeatureMetadata = z.output<typeof metadataSchema>;

/** Refuses with `workspaces.featureInvalid`, naming the property. Pure. */
export function parseMetadata(text: string, feature: string): FeatureMetadata {
  const { value, error } = parseJsonc(text.replace(/^\ufeff/, ""));
  const checked = metadataSchema.safeParse(value);
  if (error === undefined && checked.success) return checked.data;
  const [issue] = checked.error?.issues ?? [];
  throw invalidFeature(
    feature,
    `its devcontainer-feature.json can't be read: ${error ?? `${(issue?.path ?? []).map(String).join(".") || "the file"}: ${issue?.message ?? "wrong"}`}`,
  );
}

/** The feature itself is not what it should be. */
export const invalidFeature = (
  feature: string,
  why: string,
  remedy = "Use another version of it, or tell those who make it.",
): GuesthouseError =>
  refused(
    "workspaces.featureInvalid",
    `The feature “${visible(feature)}” can't be used: ${visible(why)}.`,
    { remedy },
  );
