import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { given } from "../../../base/given.ts";
import { makePrivateFolder } from "../../../base/files.ts";
import { freePorts } from "../../networks/ports.ts";
import { qemuArguments, type VmSpec } from "../../qemu/commandLine.ts";
import {
  endProcess,
  findQemu,
  type LaunchedQemu,
  launchQemu,
  type ProcessIdentity,
  waitForExit,
} from "../../qemu/process.ts";
import { generateHostKey } from "../../ssh/keys.ts";
import type { SshTarget } from "../../ssh/target.ts";
import type { Layout } from "../../store/layout.ts";
import { makeHandoffFifos } from "../handoff/port.ts";
import type { HostSettings } from "../seed/hostSettings.ts";
import type { BootWatch } from "./readiness.ts";
import { type SeedSpec, writeSeed } from "../seed/seed.ts";

/** How the sockets of such machines are named; a machine's own begin with its id. */
export type OneBootPrefix = "prep-" | "tmpl-";

export interface OneBootPlan {
  readonly prefix: OneBootPrefix;
  readonly id: string;
  /** Private. What is made in it for the boot is removed with the machine, but for QEMU's own messages. */
  readonly folder: string;
  /** The console's; begins anew. */
  readonly log: string;
  readonly seed: Pick<
    SeedSpec,
    "instanceId" | "hostname" | "user" | "macAddress" | "timezone"
  >;
  /** Whose proxy and authorities the guest gets. */
  readonly settings: HostSettings;
  readonly binary: string;
  /** What QEMU is told, once the files and the host's port for SSH are known. */
  readonly spec: (
    files: OneBootFiles,
    sshPort: number,
  ) => VmSpec | Promise<VmSpec>;
}

export interface OneBootFiles {
  readonly seed: string;
  readonly handoff: string;
  readonly log: string;
  readonly pidFile: string;
  readonly qmpSocket: string;
  readonly agentSocket: string;
  readonly consoleSocket: string;
  readonly screenSocket: string;
}

/** Disposing it ends whatever still runs of it. */
export interface OneBoot extends AsyncDisposable {
  readonly launched: LaunchedQemu;
  readonly files: OneBootFiles;
  /** With keys that nobody else ever knows. */
  readonly target: SshTarget;
  /** For `watchBoot`. */
  readonly watch: Omit<BootWatch, "timeoutMs" | "startedAtMs"> & {
    readonly startedAtMs: number;
  };
  /** Fires when QEMU has ended. */
  readonly gone: AbortSignal;
}

/**
 * Starts a machine that is nobody's: it exists for one boot of one disk, to prepare that or to make a template. Throws
 * what starting QEMU throws; nothing runs then.
 */
export async function bootOnce(
  layout: Layout,
  plan: OneBootPlan,
  signal: AbortSignal,
): Promise<OneBoot> {
  const { folder, settings } = plan;
  const socket = (kind: string): string =>
    join(layout.run, `${plan.prefix}${plan.id}.${kind}`);
  const files: OneBootFiles = {
    seed: join(folder, "seed.iso"),
    handoff: join(folder, "handoff"),
    log: plan.log,
    pidFile: join(folder, "qemu.pid"),
    qmpSocket: socket("qmp"),
    agentSocket: socket("agent"),
    consoleSocket: socket("console"),
    screenSocket: socket("screen"),
  };
  const [userKey, hostKey] = [generateHostKey(), generateHostKey()];
  const [port = 0] = await freePorts(1);
  for (const path of [layout.run, layout.logs]) await makePrivateFolder(path);
  await rm(files.log, { force: true });
  await makeHandoffFifos(files.handoff);
  await writeSeed(files.seed, {
    ...plan.seed,
    authorizedKeys: [userKey.publicKey],
    hostKey,
    network: { kind: "dhcp" },
    caCertificates: settings.caCertificates,
    ...given({ proxy: settings.proxy }),
  });
  const args = qemuArguments(await plan.spec(files, port));
  const startedAtMs = Date.now();
  const launched = await launchQemu(
    {
      binary: plan.binary,
      args,
      logPath: join(folder, "qemu.log"),
      cwd: folder,
      qmpSocket: files.qmpSocket,
    },
    signal,
  );
  const gone = new AbortController();
  void launched.qmp.closed.then(() => gone.abort());
  const target = {
    host: "127.0.0.1",
    port,
    user: plan.seed.user,
    privateKey: userKey.privateKey,
    hostKey: hostKey.publicKey,
  };
  return {
    launched,
    files,
    target,
    watch: {
      ...target,
      logPath: files.log,
      logOffset: 0,
      agentSocket: files.agentSocket,
      startedAtMs,
    },
    gone: gone.signal,
    async [Symbol.asyncDispose]() {
      launched.qmp.close();
      await end(launched);
      const { handoff, seed, pidFile } = files;
      const { qmpSocket, agentSocket, consoleSocket, screenSocket } = files;
      for (const path of [
        ...[qmpSocket, agentSocket, consoleSocket, screenSocket],
        ...[seed, pidFile, `${handoff}.in`, `${handoff}.out`],
      ])
        await rm(path, { force: true });
    },
  };
}

async function end(identity: ProcessIdentity): Promise<void> {
  if (await endProcess(identity, "SIGKILL"))
    await waitForExit(identity, 10_000);
}

/** A helper that was killed leaves such machines running, which nobody needs any more; answers with how many it ended. */
export async function endAbandoned(
  layout: Layout,
  prefix: OneBootPrefix,
): Promise<number> {
  // As QEMU's arguments name it: no other program has it so.
  const found = await findQemu(`path=${join(layout.run, prefix)}`);
  for (const abandoned of found) await end(abandoned);
  await makePrivateFolder(layout.run);
  for (const name of await readdir(layout.run))
    if (name.startsWith(prefix))
      await rm(join(layout.run, name), { force: true });
  return found.length;
}
