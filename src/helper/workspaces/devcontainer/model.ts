import * as z from "zod";

/** `8gb`, `512mb`, `2G` as on our command line, or bytes; the schema of the specification allows no fractions and no spaces. */
const sizeSchema = z
  .string()
  .regex(/^\d+([tgmkTGMK][bB]?)?$/, "a size such as 4gb or 512mb");

/** A string for a shell, an argument array without one, or several of either by name, run in parallel. */
const plainCommandSchema = z.union([z.string(), z.array(z.string())]);
export const commandSchema = z.union([
  plainCommandSchema,
  z.record(z.string(), plainCommandSchema),
]);
export type PlainCommand = z.output<typeof plainCommandSchema>;
export type LifecycleCommand = z.output<typeof commandSchema>;

/** The reference implementation takes numbers and booleans where the specification asks for strings, and so do files. */
const scalarSchema = z
  .union([z.string(), z.number(), z.boolean()])
  .transform((value) => String(value));

const variableNameSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a variable's name");
/** A variable that is null isn't set. */
export const environmentSchema = z
  .record(variableNameSchema, scalarSchema.nullable())
  .transform((variables) =>
    Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) =>
        value === null ? [] : [[name, value] as const],
      ),
    ),
  );

export const portAttributesSchema = z.looseObject({
  label: z.string().optional(),
  protocol: z.enum(["http", "https"]).optional(),
  onAutoForward: z
    .enum([
      "notify",
      "openBrowser",
      "openBrowserOnce",
      "openPreview",
      "silent",
      "ignore",
    ])
    .optional(),
  requireLocalPort: z.boolean().optional(),
  elevateIfNeeded: z.boolean().optional(),
});

/**
 * What a virtual machine adds, below `customizations.guesthouse`. The JSON schema that editors complete from,
 * `resources/schemas/devcontainer.schema.json`, is generated from this.
 */
export const guesthouseSchema = z.strictObject({
  image: z
    .string()
    .optional()
    .describe(
      "The Guesthouse image that the VM is cloned from, for example debian-12. Goes before the image, Dockerfile or Compose file of the container.",
    ),
  cpus: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe("Virtual processors. Goes before hostRequirements.cpus."),
  memory: sizeSchema
    .optional()
    .describe("Memory, for example 4gb. Goes before hostRequirements.memory."),
  disk: sizeSchema
    .optional()
    .describe(
      "Disk, for example 40gb; it takes only the room that the guest fills. Goes before hostRequirements.storage.",
    ),
  files: z
    .enum(["copy", "share", "share-readonly"])
    .optional()
    .describe(
      "How the folder's files come into the VM: copied (the default), or mounted live, for writing too or for reading only. A mount needs the user's consent.",
    ),
  network: z
    .enum(["outward", "none"])
    .optional()
    .describe(
      "Whether the guest reaches other networks. The default is outward; none is not supported yet and refused.",
    ),
  prebuildFiles: z
    .array(z.string())
    .optional()
    .describe(
      "Files of the folder, for example package-lock.json: with other content in one of them a prebuild doesn't fit any more.",
    ),
  container: z
    .boolean()
    .optional()
    .describe(
      "False: the VM itself is the development environment, even where the file names a container image, a Dockerfile or Compose files.",
    ),
  engine: z
    .boolean()
    .optional()
    .describe(
      "Give a VM without a dev container a container engine (Docker): a clone of the image containers where no image is named, else the packages of the image's own distribution.",
    ),
  screen: z
    .boolean()
    .optional()
    .describe(
      "Give the VM a display, a keyboard and a pointer, which Open Screen shows in the editor.",
    ),
  ephemeral: z
    .boolean()
    .optional()
    .describe(
      "Delete the VM a minute after its last ssh connection ended, an editor's window included. One that holds work that is nowhere else is stopped and kept.",
    ),
});
export type GuesthouseCustomization = z.output<typeof guesthouseSchema>;

/** In the guest, in the order of a VM's life. */
export const guestLifecycle = [
  "onCreateCommand",
  "updateContentCommand",
  "postCreateCommand",
  "postStartCommand",
  "postAttachCommand",
] as const;
export const lifecycleCommands = [
  "initializeCommand",
  ...guestLifecycle,
] as const;
export type LifecycleName = (typeof lifecycleCommands)[number];

/**
 * A devcontainer.json, with every property of the specification (containers.dev, schema of 2025). Unknown ones pass:
 * they are told as warnings by `review.ts`, so that a file for a newer tool still opens.
 */
export const devcontainerSchema = z.looseObject({
  $schema: z.string().optional(),
  name: z.string().optional(),
  extends: z.union([z.string(), z.array(z.string())]).optional(),

  image: z.string().optional(),
  build: z
    .looseObject({
      dockerfile: z.string().optional(),
      context: z.string().optional(),
      args: z.record(z.string(), scalarSchema).optional(),
      target: z.string().optional(),
      cacheFrom: z.union([z.string(), z.array(z.string())]).optional(),
      options: z.array(z.string()).optional(),
    })
    .optional(),
  dockerFile: z.string().optional(),
  context: z.string().optional(),
  dockerComposeFile: z.union([z.string(), z.array(z.string())]).optional(),
  service: z.string().optional(),
  runServices: z.array(z.string()).optional(),

  features: z.record(z.string(), z.unknown()).optional(),
  overrideFeatureInstallOrder: z.array(z.string()).optional(),

  containerUser: z.string().optional(),
  remoteUser: z.string().optional(),
  updateRemoteUserUID: z.boolean().optional(),
  containerEnv: environmentSchema.optional(),
  remoteEnv: z.record(variableNameSchema, scalarSchema.nullable()).optional(),
  userEnvProbe: z
    .enum(["none", "loginShell", "interactiveShell", "loginInteractiveShell"])
    .optional(),
  secrets: z
    .record(
      variableNameSchema,
      z.looseObject({
        description: z.string().optional(),
        documentationUrl: z.string().optional(),
      }),
    )
    .optional(),

  workspaceFolder: z.string().optional(),
  workspaceMount: z.string().optional(),
  mounts: z.array(z.union([z.string(), z.looseObject({})])).optional(),

  forwardPorts: z
    .array(z.union([z.int().min(0).max(65_535), z.string()]))
    .optional(),
  portsAttributes: z.record(z.string(), portAttributesSchema).optional(),
  otherPortsAttributes: portAttributesSchema.optional(),
  appPort: z
    .union([z.int(), z.string(), z.array(z.union([z.int(), z.string()]))])
    .optional(),

  initializeCommand: commandSchema.optional(),
  onCreateCommand: commandSchema.optional(),
  updateContentCommand: commandSchema.optional(),
  postCreateCommand: commandSchema.optional(),
  postStartCommand: commandSchema.optional(),
  postAttachCommand: commandSchema.optional(),
  waitFor: z.enum(lifecycleCommands).optional(),

  hostRequirements: z
    .looseObject({
      cpus: z.int().min(1).optional(),
      memory: sizeSchema.optional(),
      storage: sizeSchema.optional(),
      gpu: z
        .union([z.boolean(), z.literal("optional"), z.looseObject({})])
        .optional(),
    })
    .optional(),

  init: z.boolean().optional(),
  privileged: z.boolean().optional(),
  capAdd: z.array(z.string()).optional(),
  securityOpt: z.array(z.string()).optional(),
  runArgs: z.array(z.string()).optional(),
  overrideCommand: z.boolean().optional(),
  shutdownAction: z.enum(["none", "stopContainer", "stopCompose"]).optional(),

  settings: z.record(z.string(), z.unknown()).optional(),
  extensions: z.array(z.string()).optional(),
  customizations: z
    .looseObject({
      guesthouse: guesthouseSchema.optional(),
      vscode: z
        .looseObject({
          extensions: z.array(z.string()).optional(),
          settings: z.record(z.string(), z.unknown()).optional(),
        })
        .optional(),
    })
    .optional(),
});
export type Devcontainer = z.output<typeof devcontainerSchema>;
