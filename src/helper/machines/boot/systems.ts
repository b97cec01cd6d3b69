import { sleep } from "../../../base/deadline.ts";
import type { Log } from "../../../base/log.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import type { BootWatch } from "../../guests/boot/readiness.ts";
import { makeHandoffFifos } from "../../guests/handoff/port.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import { qemuArguments } from "../../qemu/commandLine.ts";
import type { Layout, MachineFiles } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import { giveWindowsIdentity, sentenceOf } from "../identity/identity.ts";
import { mark } from "../roster/bootLog.ts";
import type { Live } from "../roster/entry.ts";
import type { Environment } from "./environment.ts";
import type { Prepared } from "./prepared.ts";
import { type Hardware, sharedArguments, specOf } from "./spec.ts";
import { prepareWindows, windowsSharedArguments } from "./windowsArguments.ts";

interface Met {
  readonly layout: Layout;
  readonly log: Log;
}

interface Booting {
  /** Makes what QEMU finds in a machine's folder. */
  readonly prepare: (
    hardware: Hardware,
    image: GoldenImage,
    environment: Environment,
    files: MachineFiles,
  ) => Promise<Prepared>;
  /** QEMU's arguments without what differs between machines of this hardware: saved states fit by these. */
  readonly sharedArguments: typeof sharedArguments;
  /** What is done as soon as the guest's agent answers in a boot. */
  readonly onAgent: (
    record: MachineRecord,
    live: Live,
    deps: Met,
  ) => BootWatch["onAgent"];
}

/** How machines boot, by what runs in them. */
export const booting: Readonly<Record<GuestSystem, Booting>> = {
  linux: {
    prepare: prepareLinux,
    sharedArguments,
    // It reads its seed.
    onAgent: () => undefined,
  },
  windows: {
    prepare: prepareWindows,
    sharedArguments: (hardware, _image, environment) =>
      windowsSharedArguments(hardware, environment),
    onAgent: (record, live, deps) => (signal) =>
      giveIdentity(record, live, deps, signal),
  },
};

const nothing = (): Promise<void> => Promise.resolve();

async function prepareLinux(
  hardware: Hardware,
  image: GoldenImage,
  environment: Environment,
  files: MachineFiles,
): Promise<Prepared> {
  const [spec] = await Promise.all([
    specOf(hardware, image, environment, files),
    makeHandoffFifos(files.handoff),
  ]);
  return {
    arguments: (start) => qemuArguments({ ...spec, ...start }),
    begin: nothing,
    abandon: nothing,
  };
}

/** Services of Windows come up in any order. */
const againMs = 5_000;

/** Tells Windows who it is until it has taken that on. */
async function giveIdentity(
  record: MachineRecord,
  live: Live,
  { layout, log }: Met,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const outcome = await giveWindowsIdentity(record, live, layout, signal);
    log.info("identity", { machine: record.id, outcome });
    const sentence = sentenceOf(outcome);
    await mark(layout.machine(record.id).log, sentence).catch(() => undefined);
    if (outcome.kind === "applied") return;
    await sleep(againMs, signal);
  }
}
