import { stat } from "node:fs/promises";
import type { MachineStats } from "../../../protocol/machines.ts";
import { connectAgent } from "../../guests/agent/agent.ts";
import { processUsage } from "../../qemu/process.ts";
import type { MachineFiles } from "../../store/layout.ts";
import type { Entry, Live } from "../roster/entry.ts";

interface Sample {
  readonly cpuSeconds: number;
  readonly atMs: number;
}

const lastSamples = new WeakMap<Live, Sample>();

/** Blocks are counted in units of 512 bytes, whatever the file system's own size is (stat(2)). */
const blockBytes = 512;

/** What a living machine uses now. The processor share counts from the last call on. */
export async function machineStats(
  entry: Entry,
  live: Live,
  files: MachineFiles,
  signal: AbortSignal,
): Promise<MachineStats> {
  const [usage, disk, network] = await Promise.all([
    processUsage(live.handles.pid),
    stat(files.disk),
    guestTraffic(files.agentSocket, signal),
  ]);
  const atMs = performance.now();
  const cpuSeconds = usage?.cpuSeconds ?? 0;
  const before = lastSamples.get(live);
  lastSamples.set(live, { cpuSeconds, atMs });
  const stats: MachineStats = {
    cpuSeconds,
    memoryMiB: entry.record.memoryMiB,
    memoryUsedMiB: (usage?.memoryBytes ?? 0) / 1024 ** 2,
    diskUsedBytes: disk.blocks * blockBytes,
    diskVirtualBytes: entry.record.diskGiB * 1024 ** 3,
    uptimeSeconds: (Date.now() - live.handles.startedAtMs) / 1000,
  };
  if (before !== undefined && atMs > before.atMs)
    stats.cpuShare =
      (cpuSeconds - before.cpuSeconds) /
      ((atMs - before.atMs) / 1000) /
      entry.record.cpus;
  if (network !== undefined) stats.network = network;
  return stats;
}

/** Bytes both ways as the guest counts them; undefined without an agent. */
async function guestTraffic(
  agentSocket: string,
  signal: AbortSignal,
): Promise<{ sentBytes: number; receivedBytes: number } | undefined> {
  let agent;
  try {
    agent = await connectAgent(agentSocket, { timeoutMs: 2_000 }, signal);
    const interfaces = await agent.networkInterfaces(signal);
    const real = interfaces.filter(({ name }) => name !== "lo");
    const sum = (pick: (each: (typeof real)[number]) => number): number =>
      real.reduce((total, each) => total + pick(each), 0);
    return {
      sentBytes: sum(({ sentBytes }) => sentBytes ?? 0),
      receivedBytes: sum(({ receivedBytes }) => receivedBytes ?? 0),
    };
  } catch {
    return undefined;
  } finally {
    agent?.close();
  }
}
