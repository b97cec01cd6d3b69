import { execa } from "execa";
import { findProgram } from "../../src/helper/processes/programs.ts";
import type { RpcClient } from "../../src/rpc/call.ts";
import { type Household, household } from "../vm/household.ts";
import { connectHelper, firstSsh, timed } from "./connect.ts";
import { debvmRun } from "./peers/debvm.ts";
import {
  libvirtOverlay,
  libvirtRestore,
  libvirtRevert,
  virtClone,
} from "./peers/libvirtPeers.ts";
import { lxd } from "./peers/lxd.ts";
import type { Peer, Way } from "./peers/peer.ts";
import { goldenOf, openStage, shape, type Stage } from "./peers/stage.ts";
import { vagrantRestore, vagrantUp } from "./peers/vagrant.ts";
import { median, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
/** No round is begun after it. */
const longestMs = Number(process.env["BENCH_MINUTES"] ?? Infinity) * 60_000;
const ourShape = { image: "debian-12", ...shape };
const peers: readonly Peer[] = [
  libvirtOverlay,
  virtClone,
  vagrantUp,
  debvmRun,
  lxd,
  libvirtRestore,
  libvirtRevert,
  vagrantRestore,
];

/** One that is measured, or the reason why it is not. */
interface Entrant {
  readonly peer: Peer;
  way: Way | undefined;
  reason: string;
  readonly times: number[];
}

/**
 * Our clones against other tools that make virtual machines on one computer: the same image (but for debvm), the same
 * processors and memory, the same QEMU, turn and turn about. `--install` lets apt-get bring what is missing.
 */
export async function benchPeers(
  root: string,
  flags: readonly string[],
): Promise<Row[]> {
  const entrants: Entrant[] = [];
  for (const peer of peers)
    entrants.push({
      peer,
      way: undefined,
      reason: await reasonAgainst(peer, flags.includes("--install")),
      times: [],
    });
  const house = await household();
  const client = await connectHelper(root, house);
  let stage: Stage | undefined;
  try {
    await house.json(["image", "pull", "debian-12"]);
    const { template } = await client.call("templates.warmUp", ourShape);
    if (entrants.some(({ reason }) => reason === "")) {
      const opened = await openStage(
        await goldenOf(house.home, template.image.digest),
      );
      stage = opened;
      for (const entrant of entrants)
        await attempt(entrant, async () => {
          const took = await timed(async () => {
            entrant.way = await entrant.peer.prepare(opened);
          });
          say(`${entrant.peer.name}: made ready`, took);
        });
    }
    const warm: number[] = [];
    const cold: number[] = [];
    for (let i = 0; i < rounds && performance.now() < longestMs; i++) {
      warm.push(await ours(house, client, true));
      cold.push(await ours(house, client, false));
      for (const entrant of entrants)
        await attempt(entrant, async ({ way, peer }) => {
          await way?.before?.();
          const took = await timed(async () => way?.run());
          entrant.times.push(took);
          say(peer.name, took);
          await way?.reset();
        });
    }
    return rowsOf(warm, cold, entrants);
  } finally {
    client.close();
    await stage?.[Symbol.asyncDispose]();
    await house[Symbol.asyncDispose]();
  }
}

/** Empty when the peer can run here. */
async function reasonAgainst(peer: Peer, install: boolean): Promise<string> {
  // Namespaces, bridges and the daemons of the peers want root.
  if (process.getuid?.() !== 0) return "not here: needs root";
  const missing = new Set<string>();
  for (const [program, debianPackage] of Object.entries(peer.programs))
    if ((await findProgram(program)) === undefined) missing.add(debianPackage);
  const command = ["install", "--no-install-recommends", ...missing];
  if (missing.size > 0 && !install)
    return `not here: apt-get ${command.join(" ")}`;
  if (missing.size > 0)
    await execa("apt-get", ["-y", ...command], { stdio: "inherit" });
  const reason = await peer.whyNot?.();
  return reason === undefined ? "" : `not here: ${reason}`;
}

/** A peer that breaks is left out from then on, and the table says why. */
async function attempt(
  entrant: Entrant,
  work: (entrant: Entrant) => Promise<void>,
): Promise<void> {
  if (entrant.reason !== "") return;
  const startedAt = performance.now();
  try {
    await work(entrant);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    entrant.reason = `broke: ${message.replaceAll(/\s+/g, " ").slice(0, 120)}`;
    say(
      `${entrant.peer.name} broke: ${message}`,
      performance.now() - startedAt,
    );
  }
}

const say = (what: string, tookMs: number): void =>
  void process.stderr.write(`  ${(tookMs / 1000).toFixed(1)} s  ${what}\n`);

async function ours(
  house: Household,
  client: RpcClient,
  warm: boolean,
): Promise<number> {
  const tookMs = await timed(async () => {
    const { machine } = await client.call("machines.create", {
      ...ourShape,
      name: "clone",
      warm,
    });
    await firstSsh(house, machine.alias);
  });
  await client.call("machines.delete", { machine: "clone" });
  say(warm ? "ours, warm" : "ours, cold", tookMs);
  return tookMs;
}

function rowsOf(
  warm: readonly number[],
  cold: readonly number[],
  entrants: readonly Entrant[],
): Row[] {
  const times = (values: readonly number[]): string =>
    `${(median(values) / median(warm)).toFixed(1)} × warm`;
  const fastest = (kind: Peer["kind"], target: number): Row => {
    const [first] = entrants
      .filter(
        (entrant) => entrant.peer.kind === kind && entrant.times.length > 0,
      )
      .sort((a, b) => median(a.times) - median(b.times));
    return {
      what: `fastest ${kind} of a peer`,
      value: first?.peer.name ?? "none",
      against:
        first === undefined
          ? ""
          : `${times(first.times)} (target ${String(target)})`,
    };
  };
  return [
    { what: "ours: warm clone to ssh", value: spread(warm), against: "" },
    {
      what: "ours: cold clone to ssh",
      value: spread(cold),
      against: times(cold),
    },
    ...entrants.map(({ peer, reason, times: all }): Row => ({
      what: peer.name,
      value: all.length === 0 ? "–" : spread(all),
      against: [...(all.length === 0 ? [] : [times(all)]), reason]
        .filter(Boolean)
        .join("; "),
    })),
    fastest("create", 10),
    fastest("restore", 4),
  ];
}
