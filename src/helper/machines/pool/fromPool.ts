import { faultPoint } from "../../../base/faultPoint.ts";
import type { Log } from "../../../base/log.ts";
import type { ParsedParams } from "../../../protocol/contract.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import type { Images } from "../../images/images.ts";
import type { Templates } from "../../snapshots/templates.ts";
import { pinHostKey, unpinHost } from "../../ssh/knownHosts.ts";
import type { Layout } from "../../store/layout.ts";
import { mark } from "../roster/bootLog.ts";
import { draft } from "../identity/draft.ts";
import type { Entry, Live } from "../roster/entry.ts";
import type { Pool } from "./pool.ts";
import type { PoolMember } from "./member.ts";
import type { MachineRegistry } from "../roster/registry.ts";
import { rewriteMachineSeed } from "../identity/seed.ts";
import { defaultImage, shapeFor } from "../roster/shape.ts";
import type { Warm } from "../warm/warm.ts";

export interface FromPoolDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly images: Images;
  readonly templates: Templates;
  readonly warm: Warm;
  readonly pool: Pool;
  readonly log: Log;
}

/**
 * Makes a machine of a clone that waits in the pool, which gets the wish's name; undefined where none fits. Its record is
 * the take: a helper that is killed before it leaves nothing, one that is killed after it a machine that resumes from the
 * template at its next start, as any warm clone (`followResume.ts`).
 */
export async function createFromPool(
  params: ParsedParams<"machines.create">,
  deps: FromPoolDeps,
  signal: AbortSignal,
): Promise<{ entry: Entry; live: Live } | undefined> {
  const { pool, images, warm, registry, templates, layout, log } = deps;
  // Ports and whether it may reach the host's loopback are decided when QEMU starts: a pooled clone has neither.
  const plain =
    params.start !== false &&
    params.warm !== false &&
    params.hostLoopback !== true &&
    (params.forwards ?? []).length === 0;
  if (!plain || pool.isEmpty()) return undefined;
  const image = await hereNow(params.image ?? defaultImage, deps);
  if (image === undefined) return undefined;
  const template = await warm.find(shapeFor(params, image), image, signal);
  const member =
    template === undefined ? undefined : await pool.take(template.id);
  if (template === undefined || member === undefined) return undefined;
  const entry = claim(params, member, deps);
  const { record } = entry;
  const files = layout.machine(record.id);
  try {
    // In place: a guest that reboots by itself reads it from the QEMU that has it open.
    await rewriteMachineSeed(record, layout, "over");
    await pinHostKey(layout.ssh.knownHosts, record.alias, record.hostPublicKey);
    await mark(files.log, `${record.name} (${record.id}), from the pool`);
    signal.throwIfAborted();
    faultPoint("pool.taken");
    await registry.commit(entry, record);
    faultPoint("clone.recorded");
  } catch (error) {
    registry.remove(entry);
    await unpinHost(layout.ssh.knownHosts, record.alias).catch(() => undefined);
    await pool.drop(member);
    throw error;
  }
  registry.enter(entry, { kind: "stopped", reason: "created" });
  templates.used(template.id);
  await images.usersChanged(record.image.digest);
  log.info("machine created", {
    machine: record.id,
    name: record.name,
    image: record.image,
    pooled: true,
  });
  return { entry, live: fresh(member.live) };
}

/** Gives the member a name, or gives it back when that name can't be given. */
function claim(
  params: ParsedParams<"machines.create">,
  member: PoolMember,
  { registry, pool }: FromPoolDeps,
): Entry {
  try {
    const { name, alias, agentForwarding, createdAt } = draft(
      params,
      member.record.image.name,
      registry,
    );
    const entry = registry.draft(
      { ...member.record, name, alias, agentForwarding, createdAt },
      "seed",
    );
    registry.releaseAddress(member.record.guestAddress);
    return entry;
  } catch (error) {
    pool.giveBack(member);
    throw error;
  }
}

const hereNow = (
  name: string,
  { images }: FromPoolDeps,
): Promise<GoldenImage | undefined> =>
  images.resolve(name).catch(() => undefined);

/** Its life as a machine begins now. */
const fresh = (live: Live): Live => ({
  ...live,
  handles: {
    ...live.handles,
    startedAtMs: Date.now(),
    boot: [{ stage: "clone", atMs: 0 }],
  },
});
