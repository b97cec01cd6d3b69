import * as z from "zod";
import { version } from "../../../base/version.ts";
import type { HandlersOf } from "../../../protocol/contract.ts";
import type { selfTestMethods } from "../../../protocol/selfTest.ts";
import { withAgent } from "../../guests/agent/agent.ts";
import { contractLines } from "../../images/windows/contract/contract.ts";
import { readStepSources } from "../../images/windows/steps/steps.ts";
import type { Qmp } from "../../qemu/qmp.ts";
import type { Layout } from "../../store/layout.ts";
import type { Entry, Live } from "../roster/entry.ts";
import type { Verb } from "../roster/lifecycle.ts";
import type { MachineRegistry } from "../roster/registry.ts";
import { askGuest } from "./selfTest.ts";
import { sshTarget } from "../identity/sshTarget.ts";

export interface SelfTestDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  /** The living part, or the refusal of this verb in this state. */
  readonly living: (entry: Entry, verb: Verb) => Live;
}

const agentTimeoutMs = 15_000;

/** The contract's `selfTest.*`. `resources`: the folder of data that ships. */
export function selfTestHandlers(
  { layout, registry, living }: SelfTestDeps,
  resources: string,
): HandlersOf<keyof typeof selfTestMethods> {
  return {
    "selfTest.run": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      const { handles, qmp } = living(entry, "diagnose");
      const { record } = entry;
      const { agentSocket } = layout.machine(record.id);
      const startedAt = new Date();
      // Without an agent there is next to nothing to ask; its failure says what to do.
      const system = await withAgent(
        agentSocket,
        { timeoutMs: agentTimeoutMs },
        (agent) => agent.osInfo(signal),
        signal,
      );
      const lines = await askGuest(
        {
          agentSocket,
          ssh: await sshTarget(layout, record, handles.sshPort),
          macAddress: record.macAddress,
          address: record.guestAddress,
          hidden: [
            // A distribution's usual user says nothing of anybody.
            ...(record.user === system.id
              ? []
              : [[record.user, "(user)"] as const]),
            [record.name, "(machine)"],
          ],
        },
        contractLines(await readStepSources(resources)),
        signal,
      );
      const { image, generation } = registry.view(entry);
      return {
        transcript: {
          format: 1,
          startedAt: startedAt.toISOString(),
          tookMs: Date.now() - startedAt.getTime(),
          holds: lines.every(({ holds }) => holds),
          guesthouse: version,
          host: {
            system: `${process.platform} ${process.arch}`,
            qemu: await qemuVersion(qmp),
            accelerator: handles.accelerator,
            network: handles.network.backend,
          },
          machine: {
            image: image.name,
            imageDigest: image.digest,
            cpus: record.cpus,
            memoryMiB: record.memoryMiB,
            generation,
            way: handles.way,
          },
          guest: {
            id: system.id,
            name: system.prettyName,
            kernel: system.kernel,
          },
          lines,
        },
      };
    },
  };
}

const number = z.number().int();
const versionSchema = z.object({
  qemu: z.object({ major: number, minor: number, micro: number }),
});

async function qemuVersion(qmp: Qmp | undefined): Promise<string> {
  const told = await qmp?.execute("query-version").catch(() => undefined);
  const { data } = versionSchema.safeParse(told);
  return data === undefined
    ? "unknown"
    : Object.values(data.qemu).map(String).join(".");
}
