/* Rows of two kinds share a tree; ids and names of machines and images have no slash. */

export interface CheckpointName {
  readonly machine: string;
  readonly checkpoint: string;
}

/** A checkpoint's element in the *Machines* tree: its own id is unique within its machine only. */
export const checkpointKey = (machine: string, checkpoint: string): string =>
  `${machine}/${checkpoint}`;

export function checkpointOfKey(key: unknown): CheckpointName | undefined {
  if (typeof key !== "string") return undefined;
  const slash = key.indexOf("/");
  return slash === -1
    ? undefined
    : { machine: key.slice(0, slash), checkpoint: key.slice(slash + 1) };
}

const templatePrefix = "template/";

/** A template's element in the *Images* tree. */
export const templateKey = (id: string): string => templatePrefix + id;

export const templateOfKey = (key: unknown): string | undefined =>
  typeof key === "string" && key.startsWith(templatePrefix)
    ? key.slice(templatePrefix.length)
    : undefined;

export interface ServiceName {
  readonly machine: string;
  /** The engine's id of its container. */
  readonly service: string;
}

const servicePart = "/service/";

/** A service's element in the *Machines* tree. Like a checkpoint's it is no machine's id, and its machine comes first. */
export const serviceKey = (machine: string, service: string): string =>
  `${machine}${servicePart}${service}`;

export function serviceOfKey(key: unknown): ServiceName | undefined {
  if (typeof key !== "string") return undefined;
  const at = key.indexOf(servicePart);
  return at === -1
    ? undefined
    : {
        machine: key.slice(0, at),
        service: key.slice(at + servicePart.length),
      };
}
