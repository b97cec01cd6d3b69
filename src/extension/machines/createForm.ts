import { l10n } from "vscode";
import type { Params } from "../../protocol/contract.ts";
import { memoryText } from "../rows/quantities.ts";
import type { Settings } from "../window/settings.ts";

/** What a new machine shall be; everything has a value before anything is asked. */
export interface MachineForm {
  /** Undefined: the image's name and a number. */
  readonly name: string | undefined;
  readonly image: string;
  /** Undefined, here and below: the helper decides by the image and the host. */
  readonly cpus: number | undefined;
  readonly memoryMiB: number | undefined;
  readonly diskGiB: number | undefined;
  readonly agentForwarding: boolean;
  readonly hostLoopback: boolean;
  readonly screen: boolean;
}

export const formOf = (settings: Settings): MachineForm => ({
  name: undefined,
  image: settings.image,
  cpus: settings.cpus,
  memoryMiB: settings.memoryMiB,
  diskGiB: settings.diskGiB,
  agentForwarding: settings.agentForwarding,
  hostLoopback: settings.hostLoopback,
  screen: false,
});

/** The request; it only makes the machine, so that the start's failure is about a machine with a name. */
export const paramsOf = (form: MachineForm): Params<"machines.create"> => ({
  ...decided(form),
  start: false,
});

/** Only what has a value: an absent field is the helper's to decide. */
const decided = <T extends object>(
  form: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(
    Object.entries(form).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };

export type FormField = keyof MachineForm;

/** One line of the form. */
export interface FormLine<F extends string> {
  readonly field: F;
  readonly label: string;
  readonly value: string;
}

export function linesOf(form: MachineForm): FormLine<FormField>[] {
  return [
    { field: "image", label: l10n.t("Image"), value: form.image },
    { field: "name", label: l10n.t("Name"), value: orAutomatic(form.name) },
    { field: "cpus", label: l10n.t("CPUs"), value: orAutomatic(form.cpus) },
    {
      field: "memoryMiB",
      label: l10n.t("Memory"),
      value: orAutomatic(form.memoryMiB, memoryText),
    },
    {
      field: "diskGiB",
      label: l10n.t("Disk"),
      value: orAutomatic(form.diskGiB, gigabytes),
    },
    {
      field: "agentForwarding",
      label: l10n.t("SSH agent forwarding"),
      value: form.agentForwarding ? l10n.t("on") : l10n.t("off"),
    },
    {
      field: "hostLoopback",
      label: l10n.t("Reach this computer's loopback address"),
      value: form.hostLoopback ? l10n.t("on") : l10n.t("off"),
    },
    {
      field: "screen",
      label: l10n.t("Screen"),
      value: form.screen ? l10n.t("on") : l10n.t("off"),
    },
  ];
}

export const gigabytes = (diskGiB: number): string =>
  l10n.t("{0} GB", String(diskGiB));

const orAutomatic = <T extends string | number>(
  value: T | undefined,
  text: (value: T) => string = String,
): string => (value === undefined ? l10n.t("automatic") : text(value));

/** `4`, undefined for what is not a whole number between the bounds. */
export function parseCount(
  text: string,
  min: number,
  max: number,
): number | undefined {
  const trimmed = text.trim();
  if (!/^\d+$/.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return value >= min && value <= max ? value : undefined;
}

/** `2 GB`, `512 MB`, `2G`, `2048` (MB): MiB, at least 128. */
export function parseMemoryMiB(text: string): number | undefined {
  const match = /^(\d+(?:[.,]\d+)?)\s*(?:([gm])(?:i?b)?)?$/i.exec(text.trim());
  if (match?.[1] === undefined) return undefined;
  const number = Number(match[1].replace(",", "."));
  const memoryMiB = match[2]?.toLowerCase() === "g" ? number * 1024 : number;
  return Number.isInteger(memoryMiB) && memoryMiB >= 128
    ? memoryMiB
    : undefined;
}

/** A machine's name is its guest's hostname (RFC 1123), in lower case because editors lower-case authorities. */
export const isMachineName = (text: string): boolean =>
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
