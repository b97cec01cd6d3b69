import { l10n, type QuickPickItem, window } from "vscode";
import { memoryText } from "../rows/quantities.ts";
import { stays } from "../window/stays.ts";
import {
  type FormLine,
  isMachineName,
  parseCount,
  parseMemoryMiB,
} from "./createForm.ts";

/**
 * Shows a form as a list: the first line does it with what is there, each other line changes one value and comes
 * back. Undefined when the user leaves.
 */
export async function askForm<V, F extends string>(
  options: { readonly title: string; readonly submit: string },
  start: V,
  linesOf: (value: V) => readonly FormLine<F>[],
  edit: (field: F, value: V) => Promise<V | undefined>,
): Promise<V | undefined> {
  let value = start;
  for (;;) {
    const submit: QuickPickItem & { field?: F } = {
      label: `$(check) ${options.submit}`,
      alwaysShow: true,
    };
    const fields = linesOf(value).map((line) => ({
      label: line.label,
      description: line.value,
      field: line.field,
    }));
    const picked = await window.showQuickPick([submit, ...fields], {
      title: options.title,
      placeHolder: l10n.t("Press Enter to go on, or pick a value to change it"),
      ...stays,
    });
    if (picked === undefined) return undefined;
    if (picked.field === undefined) return value;
    value = (await edit(picked.field, value)) ?? value;
  }
}

/** Asks for one value in a box that opens with the present one and says what is wrong while typing. */
async function askText<T>(
  title: string,
  present: string,
  parse: (text: string) => T | undefined,
  rule: string,
): Promise<T | undefined> {
  const text = await window.showInputBox({
    title,
    value: present,
    prompt: rule,
    validateInput: (text) => (parse(text) === undefined ? rule : undefined),
    ...stays,
  });
  return text === undefined ? undefined : parse(text);
}

export const askCpus = (
  cpus: number | undefined,
): Promise<number | undefined> =>
  askText(
    l10n.t("CPUs"),
    cpus === undefined ? "" : String(cpus),
    (text) => parseCount(text, 1, 256),
    l10n.t("A whole number from 1 to 256."),
  );

export const askMemoryMiB = (
  memoryMiB: number | undefined,
): Promise<number | undefined> =>
  askText(
    l10n.t("Memory"),
    memoryMiB === undefined ? "" : memoryText(memoryMiB),
    parseMemoryMiB,
    l10n.t("For example 2 GB or 512 MB; at least 128 MB."),
  );

/** Disks only grow. */
export const askDiskGiB = (
  diskGiB: number | undefined,
  minGiB: number,
): Promise<number | undefined> =>
  askText(
    l10n.t("Disk"),
    diskGiB === undefined ? "" : String(diskGiB),
    (text) =>
      parseCount(text.replace(/\s*gi?b?$/i, ""), Math.ceil(minGiB), 65_536),
    l10n.t("A whole number of GB, at least {0}.", Math.ceil(minGiB)),
  );

export const askName = (
  name: string,
  title = l10n.t("Name"),
): Promise<string | undefined> =>
  askText(
    title,
    name,
    (text) => (isMachineName(text.trim()) ? text.trim() : undefined),
    l10n.t(
      "Lower-case letters, digits and hyphens, at most 63; a letter or digit at both ends.",
    ),
  );
