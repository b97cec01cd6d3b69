import { l10n } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Machine } from "../../protocol/machines.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { chooseImage } from "../images/choose.ts";
import type { Records } from "../helper/records.ts";
import {
  askCpus,
  askDiskGiB,
  askForm,
  askMemoryMiB,
  askName,
} from "./askForm.ts";
import {
  type FormField,
  linesOf,
  type MachineForm,
  paramsOf,
} from "./createForm.ts";

/** Makes a machine and answers before it starts; an image that is missing is brought here first. */
export async function makeMachine(
  call: Call,
  form: MachineForm,
  signal?: AbortSignal,
): Promise<Machine> {
  const { machine } = await call("machines.create", paramsOf(form), signal);
  return machine;
}

/** Makes and starts a machine; *Try Again* after a failed start doesn't make a second one. */
export async function makeAndStart(
  call: Call,
  form: MachineForm,
): Promise<void> {
  const { id } = await makeMachine(call, form);
  await about({ kind: "machine", id }, () =>
    call("machines.start", { machine: id }),
  );
}

/** The form with every default filled in; undefined when the user leaves. */
export const askMachine = (
  start: MachineForm,
  images: Records<Image>,
): Promise<MachineForm | undefined> =>
  askForm(
    { title: l10n.t("Create VM"), submit: l10n.t("Create VM") },
    start,
    linesOf,
    (field, form) => editField(field, form, images),
  );

async function editField(
  field: FormField,
  form: MachineForm,
  images: Records<Image>,
): Promise<MachineForm | undefined> {
  switch (field) {
    case "image": {
      const image = await chooseImage(images, l10n.t("Image of the new VM"));
      return image && { ...form, image: image.name };
    }
    case "name": {
      const name = await askName(form.name ?? "");
      return name === undefined ? undefined : { ...form, name };
    }
    case "cpus": {
      const cpus = await askCpus(form.cpus);
      return cpus === undefined ? undefined : { ...form, cpus };
    }
    case "memoryMiB": {
      const memoryMiB = await askMemoryMiB(form.memoryMiB);
      return memoryMiB === undefined ? undefined : { ...form, memoryMiB };
    }
    case "diskGiB": {
      const virtual = images.get(form.image)?.virtualSizeBytes ?? 0;
      const diskGiB = await askDiskGiB(
        form.diskGiB,
        Math.max(1, virtual / 1024 ** 3),
      );
      return diskGiB === undefined ? undefined : { ...form, diskGiB };
    }
    case "agentForwarding":
      return { ...form, agentForwarding: !form.agentForwarding };
    case "hostLoopback":
      return { ...form, hostLoopback: !form.hostLoopback };
    case "screen":
      return { ...form, screen: !form.screen };
  }
}
