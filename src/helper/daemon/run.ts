/*
 * The daemon's life: it owns the data folder's lock from before anything is touched until the process ends, so that there is
 * one helper for each data folder. `guesthouse daemon run` calls it, which windows and command lines spawn.
 */
import { writeSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { makePrivateFolder } from "../../base/files.ts";
import { fileLog, type Log } from "../../base/log.ts";
import { toFailure } from "../../protocol/failure.ts";
import { requireOwnFolder } from "../../rpc/ownFolder.ts";
import { processIdentity, isSameProcess } from "../qemu/process.ts";
import { type Layout, layoutOf } from "../store/layout.ts";
import { takeLock } from "../store/lock.ts";
import { startServer } from "./server.ts";

/**
 * The helper as a daemon: takes the lock, serves until idle or told to stop, leaves the guests running. Says
 * `{"ready":true}` or `{"failure":…}` on standard output, once (see `rpc/launch.ts`).
 */
export async function runDaemon(home: string, version: string): Promise<void> {
  let log: Log | undefined;
  // The helper waits most of its life: a nursery that never grows costs it nothing and saves a third of its memory.
  setFlagsFromString("--semi-space-growth-factor=1");
  try {
    const layout = layoutOf(home);
    await makeHome(layout);
    log = fileLog(layout.helperLog).with({ helper: process.pid });
    const lock = await takeLock(
      layout.helperLock,
      (await processIdentity(process.pid)) ?? {
        pid: process.pid,
        startTime: "",
      },
      isSameProcess,
    );
    if (lock === undefined) {
      say({ ready: true, already: true });
      return;
    }
    guardProcess(log);
    await clearInterruptedWrites(layout.home);
    const server = await startServer({ layout, version, log });
    say({ ready: true });
    log.info("helper serves", { version, home });
    await server.ended;
    await lock.release();
    log.info("helper ends; guests run on");
  } catch (error) {
    log?.error("the helper could not start", { error });
    say({ failure: toFailure(error) });
    process.exitCode = 1;
  }
  // Detached children and idle sockets must not keep an ended helper alive.
  process.exit();
}

async function makeHome(layout: Layout): Promise<void> {
  for (const folder of [
    layout.home,
    layout.run,
    layout.logs,
    layout.machines,
    layout.images,
    layout.work,
  ])
    await makePrivateFolder(folder);
  await requireOwnFolder(layout.run);
}

/**
 * An interrupted atomic replace leaves its temporary file. Only the lock's holder may remove any: before that, it could
 * be one that another helper, started in the same moment, is about to put in place.
 */
async function clearInterruptedWrites(home: string): Promise<void> {
  for (const name of await readdir(home))
    if (name.endsWith(".tmp")) await rm(join(home, name), { force: true });
}

function guardProcess(log: Log): void {
  process.on("uncaughtException", (error) => {
    log.error("uncaught exception", { error });
  });
  process.on("unhandledRejection", (error) => {
    log.error("unhandled rejection", { error });
  });
  // The terminal that first started a helper may close; the helper belongs to all windows.
  process.on("SIGHUP", () => undefined);
}

/** Standard output stays open: were it closed, the next socket would get its number, and libuv aborts on closing that. */
function say(message: unknown): void {
  try {
    writeSync(1, `${JSON.stringify(message)}\n`);
  } catch {
    // Whoever launched us is gone already; others still find the socket.
  }
}
