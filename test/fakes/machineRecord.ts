import type { MachineRecord } from "../../src/helper/store/records.ts";

/** A stopped machine with nothing special. */
export const machineRecord: MachineRecord = {
  format: 1,
  id: "0123456789ab",
  name: "attic",
  alias: "gh-attic",
  image: { name: "debian-12", digest: "sha256:0" },
  os: "linux",
  generation: 0,
  cpus: 1,
  memoryMiB: 512,
  diskGiB: 1,
  user: "guest",
  createdAt: new Date(0).toISOString(),
  macAddress: "52:54:00:67:68:01",
  guestAddress: "10.0.2.32",
  uuid: "7d1c3c0e-52c5-4c1e-9a55-0d4f1f6c0001",
  vmGenerationId: "7d1c3c0e-52c5-4c1e-9a55-0d4f1f6c0002",
  instanceId: "guesthouse-0123456789ab",
  hostPublicKey: "",
  agentForwarding: false,
  hostLoopback: false,
  screen: false,
  forwards: [],
  checkpoints: [],
  lastStop: { reason: "requested" },
};
