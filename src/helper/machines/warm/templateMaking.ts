import { rm } from "node:fs/promises";
import { join } from "node:path";
import { faultPoint } from "../../../base/faultPoint.ts";
import type { Log } from "../../../base/log.ts";
import type { TemplateShape } from "../../../protocol/templates.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import type { VmNetwork } from "../../qemu/commandLine.ts";
import { type LaunchedQemu, waitForExit } from "../../qemu/process.ts";
import { saveDevices } from "../../snapshots/saveDevices.ts";
import type { Layout } from "../../store/layout.ts";
import type { Environment } from "../boot/environment.ts";

export interface TemplateMaking {
  readonly id: string;
  readonly image: GoldenImage;
  readonly shape: TemplateShape;
  readonly environment: Environment;
  readonly layout: Layout;
  readonly log: Log;
  readonly onStage: (stage: "boot" | "settle" | "save") => void;
}

/** Gets the network ready whose port for SSH is this one of the host's. */
export type Connect = (hostPort: number) => Promise<VmNetwork>;

/** One boot of a template's machine, to its saved state. */
export type BootTemplate = (
  making: TemplateMaking,
  /** Of its network card. */
  macAddress: string,
  connect: Connect,
  signal: AbortSignal,
) => Promise<void>;

/** How the sockets of a template's machine are named. */
export const templatePrefix = "tmpl-";

const stateSocket = ({ id, layout }: TemplateMaking): string =>
  join(layout.run, `${templatePrefix}${id}.state`);

/** Stops the guest for good, keeps its devices' state beside its memory, and ends its QEMU. */
export async function saveAndEnd(
  making: TemplateMaking,
  launched: LaunchedQemu,
  signal: AbortSignal,
): Promise<void> {
  const { state } = making.layout.template(making.id);
  making.onStage("save");
  await launched.qmp.execute("stop");
  await saveDevices(
    launched.qmp,
    { file: state, socket: stateSocket(making) },
    signal,
  );
  await launched.qmp.execute("quit").catch(() => undefined);
  // Else disposing ends it.
  await waitForExit(launched, 10_000);
  faultPoint("template.saved");
}

export const removeStateSocket = (making: TemplateMaking): Promise<void> =>
  rm(stateSocket(making), { force: true });
