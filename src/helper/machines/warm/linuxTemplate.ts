import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { given } from "../../../base/given.ts";
import { faultPoint } from "../../../base/faultPoint.ts";
import { withAgent } from "../../guests/agent/agent.ts";
import { bootOnce, type OneBootPlan } from "../../guests/boot/oneBoot.ts";
import { watchBoot } from "../../guests/boot/readiness.ts";
import { bootTimeoutMs } from "../../guests/boot/timeouts.ts";
import { openHandoff } from "../../guests/handoff/handoff.ts";
import { hostSettings } from "../../guests/seed/hostSettings.ts";
import { createOverlay } from "../../qemu/block.ts";
import { specOf } from "../boot/spec.ts";
import { cantBe, endedEarly } from "./templateFailure.ts";
import {
  type BootTemplate,
  type Connect,
  saveAndEnd,
  type TemplateMaking,
  templatePrefix,
} from "./templateMaking.ts";

const gib = 1024 ** 3;

/** Boots Linux once, lets it come to rest, makes it forget who it is, and saves it. */
export const bootLinuxTemplate: BootTemplate = async (
  making,
  macAddress,
  connect,
  signal,
) => {
  const { image, shape, environment, layout, onStage } = making;
  const files = layout.template(making.id);
  await createOverlay(
    {
      path: files.disk,
      backingPath: image.files.disk,
      sizeBytes: Math.ceil(shape.diskGiB * gib),
    },
    signal,
  );
  onStage("boot");
  const boot = await bootOf(making, macAddress, connect);
  await using machine = await bootOnce(layout, boot, signal);
  const { launched, watch } = machine;
  const within = AbortSignal.any([signal, machine.gone]);
  try {
    faultPoint("template.launched", launched.pid);
    const outcome = await watchBoot(
      {
        ...watch,
        timeoutMs: bootTimeoutMs({
          accelerator: environment.accelerator.kind,
          expectedBootSeconds: image.expectedBootSeconds,
        }),
      },
      () => undefined,
      within,
    );
    if (outcome.kind !== "ready")
      throw cantBe(
        `“${image.name}” was not reached within ${String(Math.round((Date.now() - watch.startedAtMs) / 1000))} s`,
      );
    faultPoint("template.booted", launched.pid);
    onStage("settle");
    await settle(making, machine.files, within);
    await saveAndEnd(making, launched, signal);
  } catch (error) {
    throw machine.gone.aborted && !signal.aborted
      ? await endedEarly(files.folder, error)
      : error;
  }
};

/** A machine like those that are to resume from it, but nobody yet. */
async function bootOf(
  { id, image, shape, environment, layout }: TemplateMaking,
  macAddress: string,
  connect: Connect,
): Promise<OneBootPlan> {
  const files = layout.template(id);
  const settings = await hostSettings();
  return {
    prefix: templatePrefix,
    id,
    folder: files.folder,
    log: join(layout.logs, `template-${id}.log`),
    seed: {
      instanceId: `guesthouse-template-${id}`,
      hostname: "guesthouse-template",
      user: shape.user,
      // No MAC address: its clones' cards have others.
      ...given({ timezone: settings.timezone }),
    },
    settings,
    binary: environment.binary,
    spec: async (own, sshPort) => ({
      ...(await specOf(
        {
          name: "guesthouse-template",
          uuid: randomUUID(),
          cpus: shape.cpus,
          memoryMiB: shape.memoryMiB,
          screen: shape.screen,
          macAddress,
          vmGenerationId: randomUUID(),
        },
        image,
        environment,
        { ...own, disk: files.disk },
      )),
      memoryFile: { path: files.memory, shared: true },
      network: await connect(sshPort),
    }),
  };
}

/** A first boot goes on for a while after SSH: what cloud-init does last must not be done again in each clone. */
const cloudInitTimeoutMs = 300_000;
const serviceTimeoutMs = 60_000;
/** For what the image itself waits for (`settled.d`): an engine, its containers' health. */
const settledTimeoutMs = 900_000;
/** Images that were made before there was such a program have none. */
const awaitSettled = [
  "sh",
  "-c",
  "wait=/usr/lib/guesthouse/await-settled; [ ! -x $wait ] || exec $wait",
];

async function settle(
  { image }: TemplateMaking,
  own: { readonly agentSocket: string; readonly handoff: string },
  signal: AbortSignal,
): Promise<void> {
  await withAgent(
    own.agentSocket,
    { timeoutMs: 10_000 },
    async (agent, within) => {
      await agent.exec(
        ["cloud-init", "status", "--wait"],
        { timeoutMs: cloudInitTimeoutMs },
        within,
      );
      const { code, stderr } = await agent.exec(
        awaitSettled,
        { timeoutMs: settledTimeoutMs },
        within,
      );
      if (code !== 0)
        throw cantBe(`“${image.name}” doesn't come to rest: ${stderr.trim()}`);
    },
    signal,
  );
  // The service proves itself in the template, or no clone of it would ever be itself.
  const handoff = await openHandoff(own.handoff);
  try {
    handoff.send({});
    const { kind } = await handoff.awaitOutcome(
      { timeoutMs: serviceTimeoutMs },
      signal,
    );
    if (kind !== "applied")
      throw cantBe(
        `the guest service of “${image.name}” does not answer (${kind})`,
      );
  } finally {
    handoff.close();
  }
  await withAgent(
    own.agentSocket,
    { timeoutMs: 10_000 },
    async (agent, within) => {
      const { code, stderr } = await agent.exec(
        ["/usr/lib/guesthouse/settle"],
        { timeoutMs: serviceTimeoutMs },
        within,
      );
      if (code !== 0)
        throw cantBe(
          `“${image.name}” could not be made to forget itself: ${stderr.trim()}`,
        );
    },
    signal,
  );
}
