import { given } from "../../../base/given.ts";
import type { PoolState } from "../../../protocol/pool.ts";
import { processUsage } from "../../qemu/process.ts";
import { type KeeperDeps, type Keeping, membersOf } from "./keeping.ts";
import type { PoolMember } from "./member.ts";

/** Tells with each template how many clones of it wait, and what they take. */
export async function show({ keeping, templates }: KeeperDeps): Promise<void> {
  for (const { id } of templates.ready()) {
    const count =
      keeping.wants.find(({ record }) => record.id === id)?.count ?? 0;
    const members = membersOf(keeping, id);
    templates.pooled(
      id,
      count === 0 && members.length === 0
        ? undefined
        : {
            wanted: count,
            ready: members.length,
            memoryBytes: await memoryOf(members),
          },
    );
  }
}

/** Of every image that is to have a pool. */
export function listPools(deps: KeeperDeps): Promise<PoolState[]> {
  const { sizes, templates } = deps;
  const names = new Set([
    ...sizes.named(),
    ...templates.ready().map(({ image }) => image.name),
  ]);
  return Promise.all(
    [...names]
      .filter((name) => sizes.of(name) > 0)
      .sort()
      .map((name) => poolOf(name, deps)),
  );
}

export async function poolOf(
  image: string,
  { keeping, sizes }: KeeperDeps,
): Promise<PoolState> {
  const want = keeping.wants.find(({ record }) => record.image.name === image);
  const members = [...keeping.ready.values()].filter(
    ({ record }) => record.image.name === image,
  );
  const count = sizes.of(image);
  const waitsFor =
    members.length >= count
      ? undefined
      : want === undefined
        ? "template"
        : (keeping.waits.get(want.record.id) ?? "filling");
  return {
    image,
    wanted: count,
    ready: members.length,
    memoryBytes: await memoryOf(members),
    ...(want === undefined ? {} : { template: want.record.id }),
    ...given({ waitsFor }),
  };
}

/** What waits, or comes up, in the folder of the machine with this id; undefined when nothing does. */
export function titleOf(
  id: string,
  { ready, wants, filling }: Keeping,
): string | undefined {
  const image =
    ready.get(id)?.record.image.name ??
    wants.find(
      ({ record }) => filling?.id === id && record.id === filling.template,
    )?.record.image.name;
  return image === undefined ? undefined : `pooled clone of ${image}`;
}

async function memoryOf(members: readonly PoolMember[]): Promise<number> {
  const usages = await Promise.all(
    members.map(({ live }) => processUsage(live.handles.pid)),
  );
  return usages.reduce((sum, usage) => sum + (usage?.memoryBytes ?? 0), 0);
}
