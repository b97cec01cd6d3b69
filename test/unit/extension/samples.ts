import type { Image } from "../../../src/protocol/images.ts";
import type {
  Checkpoint,
  Diagnosis,
  Machine,
} from "../../../src/protocol/machines.ts";
import type { Template } from "../../../src/protocol/templates.ts";

/** A moment that all samples agree on. */
export const nowMs = Date.parse("2026-03-01T12:00:00Z");

export const machine = (change: Partial<Machine> = {}): Machine => ({
  id: "0123456789ab",
  name: "debian-12",
  alias: "gh-debian-12",
  image: { name: "debian-12", digest: "sha256:aa", stale: false },
  os: "linux",
  generation: 0,
  cpus: 2,
  memoryMiB: 2048,
  diskGiB: 20,
  user: "guest",
  home: "/home/guest",
  state: { kind: "stopped", reason: "created" },
  checkpoints: [],
  createdAt: "2026-03-01T11:00:00Z",
  boot: [],
  logPath: "/data/logs/0123456789ab.log",
  agentForwarding: false,
  hostLoopback: false,
  screen: false,
  revision: 1,
  ...change,
});

export const checkpoint = (change: Partial<Checkpoint> = {}): Checkpoint => ({
  id: "0a1b2c3d",
  note: "before the upgrade",
  createdAt: "2026-03-01T11:30:00Z",
  memory: true,
  automatic: false,
  sizeBytes: 240 * 1024 ** 2,
  ...change,
});

export const template = (change: Partial<Template> = {}): Template => ({
  id: "0123456789abcdef",
  image: { name: "debian-12", digest: "sha256:aa" },
  shape: { cpus: 2, memoryMiB: 2048, diskGiB: 20, user: "guest" },
  state: { kind: "ready" },
  sizeBytes: 184 * 1024 ** 2,
  createdAt: "2026-03-01T11:00:00Z",
  lastUsedAt: "2026-03-01T11:57:00Z",
  revision: 1,
  ...change,
});

export const image = (change: Partial<Image> = {}): Image => ({
  name: "debian-12",
  title: "Debian 12",
  architecture: "amd64",
  state: { kind: "ready" },
  usedBy: [],
  revision: 1,
  ...change,
});

export const diagnosis = (change: Partial<Diagnosis> = {}): Diagnosis => ({
  hint: "The guest has sent nothing: it has no network settings.",
  cause: "noTraffic",
  stage: "init",
  waitedMs: 61_000,
  runState: "running",
  network: { driver: true, sentFrames: 0, receivedFrames: 12 },
  addresses: [],
  probes: [],
  consoleTail: ["[  OK  ] Reached target", "debian login:"],
  ...change,
});
