import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Records of stopped machines, written where a helper finds them when it starts: `bench-0`, `bench-1`, … from `first`
 * up to, but without, `end`.
 */
export async function writeRecords(
  home: string,
  first: number,
  end: number,
): Promise<void> {
  await Promise.all(
    Array.from({ length: end - first }, (_, i) => writeOne(home, first + i)),
  );
}

async function writeOne(home: string, i: number): Promise<void> {
  const id = i.toString(16).padStart(12, "0");
  const folder = join(home, "machines", id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const record = {
    format: 1,
    id,
    name: `bench-${String(i)}`,
    alias: `gh-bench-${String(i)}`,
    image: { name: "debian-12", digest: `sha256:${"0".repeat(64)}` },
    generation: 0,
    cpus: 2,
    memoryMiB: 2048,
    diskGiB: 20,
    user: "guest",
    createdAt: new Date().toISOString(),
    macAddress: "52:54:00:00:00:00",
    uuid: randomUUID(),
    vmGenerationId: randomUUID(),
    instanceId: `guesthouse-${id}`,
    hostPublicKey: "ssh-ed25519 AAAA",
    agentForwarding: false,
    forwards: [],
    lastStop: { reason: "created" },
  };
  await writeFile(join(folder, "machine.json"), JSON.stringify(record), {
    mode: 0o600,
  });
}
