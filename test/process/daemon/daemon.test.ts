import {
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  protocolVersion,
  type HelperStatus,
} from "../../../src/protocol/helper.ts";
import { createClient } from "../../../src/rpc/call.ts";
import { ensureHelper } from "../../../src/rpc/launch.ts";
import { dial } from "../../../src/rpc/transport.ts";
import {
  bundle,
  eventually,
  type Household,
  household,
  isGone,
} from "../../vm/household.ts";

interface Status extends HelperStatus {
  readonly running: boolean;
}

let house: Household;
beforeEach(async () => {
  house = await household();
});
afterEach(async () => {
  await house[Symbol.asyncDispose]();
});

const status = (): Promise<Status> => house.json<Status>(["daemon", "status"]);

describe("one helper per user and data folder", () => {
  test("starts on demand, is found again, ends when told", async () => {
    expect((await status()).running).toBe(false);
    await house.json(["list"]);
    const first = await status();
    await house.json(["list"]);
    expect((await status()).pid).toBe(first.pid);
    await house.guesthouse(["daemon", "stop"]);
    expect((await status()).running).toBe(false);
    expect(await isGone(first.pid)).toBe(true);
  });

  test("ten commands at once start exactly one (B19)", async () => {
    const lists = await Promise.all(
      Array.from({ length: 10 }, () => house.guesthouse(["list", "--json"])),
    );
    expect(lists.map(({ exitCode }) => exitCode)).toEqual(Array(10).fill(0));
    const { pid } = await status();
    const mine = async (): Promise<string[]> => {
      const { stdout } = await execa("pgrep", ["-f", `${bundle} daemon run`], {
        reject: false,
      });
      const found: string[] = [];
      for (const candidate of stdout.split("\n").filter((line) => line !== ""))
        if (
          (
            await readFile(`/proc/${candidate}/environ`, "utf8").catch(() => "")
          ).includes(`GUESTHOUSE_HOME=${house.home}\0`)
        )
          found.push(candidate);
      return found;
    };
    // Those that found the lock taken have said so, and may still be on their way out.
    await eventually("one helper alone", 5_000, async () =>
      isDeepStrictEqual(await mine(), [String(pid)]) ? true : undefined,
    );
    const log = await readFile(join(house.home, "logs", "helper.log"), "utf8");
    const lines = log
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { level: string; message: string });
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    expect(
      lines.filter(({ message }) => message === "helper serves"),
    ).toHaveLength(1);
  });

  test("a killed helper's lock and socket don't stand in the way of the next (B15)", async () => {
    await house.json(["list"]);
    const { pid } = await status();
    process.kill(pid, "SIGKILL");
    await eventually("its end", 5_000, async () =>
      (await isGone(pid)) ? true : undefined,
    );
    await house.json(["list"]);
    expect((await status()).pid).not.toBe(pid);
  });

  test("files are 0600, folders and socket for the owner only", async () => {
    await house.json(["list"]);
    const mode = async (...path: string[]): Promise<number> =>
      (await stat(join(house.home, ...path))).mode & 0o777;
    expect(await mode()).toBe(0o700);
    for (const folder of ["run", "logs", "machines", "images", "ssh"])
      expect(await mode(folder)).toBe(0o700);
    for (const file of [
      "logs/helper.log",
      "ssh/id_ed25519",
      "helper.json",
      "ssh/guesthouse.conf",
      "run/helper",
    ])
      expect((await mode(file)) & 0o077).toBe(0);
  });

  test("goes when idle and no client is connected", async () => {
    const hasty = await household({ GUESTHOUSE_IDLE_SECONDS: "1" });
    try {
      await hasty.json(["list"]);
      const { pid } = JSON.parse(
        await readFile(join(hasty.home, "helper.json"), "utf8"),
      ) as { pid: number };
      await eventually("its end", 10_000, async () =>
        (await isGone(pid)) ? true : undefined,
      );
    } finally {
      await hasty[Symbol.asyncDispose]();
    }
  });

  test("a long home folder works: sockets move to the runtime directory (B22)", async () => {
    const base = await mkdtemp(join(tmpdir(), "gh-long-"));
    const home = join(base, "h".repeat(120));
    const long = await household({
      GUESTHOUSE_HOME: home,
      XDG_RUNTIME_DIR: base,
    });
    try {
      const { socket } = await long
        .json<HelperStatus>(["list"])
        .then(() => long.json<HelperStatus>(["daemon", "status"]));
      expect(socket.startsWith(`${base}/guesthouse-`)).toBe(true);
    } finally {
      await long[Symbol.asyncDispose]();
      await rm(base, { recursive: true, force: true });
    }
  });
});

describe("hand-over (B20)", () => {
  const command = [process.execPath, bundle];

  test("a newer client makes an older helper go and starts its own", async () => {
    const dist = join(house.home, "newer", "dist");
    await mkdir(dist, { recursive: true });
    await symlink(
      resolve(import.meta.dirname, "../../../resources"),
      join(dist, "..", "resources"),
    );
    const { version } = JSON.parse(
      await readFile(new URL("../../../package.json", import.meta.url), "utf8"),
    ) as { version: string };
    for (const file of ["helper.js", "commands.js"])
      await writeFile(
        join(dist, file),
        (await readFile(join(dirname(bundle), file), "utf8")).replaceAll(
          JSON.stringify(version),
          '"99.0.0"',
        ),
      );
    const newer = join(dist, "helper.js");
    await house.json(["list"]);
    const old = await status();
    const helper = await ensureHelper({
      home: house.home,
      command: [process.execPath, newer],
      version: "99.0.0",
      client: "window",
    });
    try {
      expect(helper.status.pid).not.toBe(old.pid);
      expect(helper.status.version).toBe("99.0.0");
      await eventually("the older one's end", 5_000, async () =>
        (await isGone(old.pid)) ? true : undefined,
      );
    } finally {
      helper.client.close();
    }
  });

  test("an older client uses a newer helper of the same protocol", async () => {
    await house.json(["list"]);
    const before = await status();
    const helper = await ensureHelper({
      home: house.home,
      command,
      version: "0.0.1",
      client: "window",
    });
    expect(helper.status.pid).toBe(before.pid);
    helper.client.close();
  });
});

describe("the wire", () => {
  test("garbage on the socket harms nobody else", async () => {
    await house.json(["list"]);
    const { socket, pid } = await status();
    const rude = connect(socket);
    rude.on("error", () => undefined);
    rude.write("GET / HTTP/1.1\r\n\r\n\0\0\0{{{{");
    await new Promise((wake) => setTimeout(wake, 200));
    rude.destroy();
    expect((await status()).pid).toBe(pid);
  });

  test("bad params are refused with what is wrong, unknown machines with what is there", async () => {
    await house.json(["list"]);
    const client = createClient(await dial((await status()).socket, 5_000));
    try {
      await client.call("helper.hello", {
        version: "0",
        protocol: protocolVersion,
        client: "cli",
      });
      await expect(
        client.call("machines.create", { cpus: 0 }),
      ).rejects.toMatchObject({
        failure: { kind: "refused", code: "request.invalid" },
      });
      await expect(
        client.call("machines.show", { machine: "nobody" }),
      ).rejects.toMatchObject({
        failure: { kind: "refused", code: "machines.unknown" },
      });
    } finally {
      client.close();
    }
  });

  test("a request under way ends with a clear failure when the helper is killed", async () => {
    await house.json(["list"]);
    const { socket, pid } = await status();
    const client = createClient(await dial(socket, 5_000));
    const pending = client.call("host.doctor", { retry: true });
    process.kill(pid, "SIGKILL");
    await expect(pending).rejects.toMatchObject({
      failure: { code: "helper.unreachable" },
    });
    await client.closed;
  });
});
