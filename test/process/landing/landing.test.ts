import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { attacks } from "./attacks.ts";
import { type Bed, openBed, type Target } from "./bed.ts";
import { checks, eventually, type Place } from "./checks.ts";
import { freePorts } from "../../../src/helper/networks/ports.ts";
import { engineMissing } from "./engine.ts";

let reason = await engineMissing();
let opened: Bed | undefined;
if (reason === undefined)
  opened = await openBed().catch((error: unknown) => {
    reason = `no container engine runs here: ${String(error)}`;
    return undefined;
  });
const bed = opened as Bed;
const docker = (...args: string[]) => bed.engine.docker(...args);

const vscode: Omit<Target, "container"> = {
  user: "vscode",
  uid: 1000,
  gid: 1000,
  home: "/home/vscode",
  shell: "/bin/bash",
  workspaceFolder: "/workspaces/app",
  environment: { FROM_TARGET: `it's "here"` },
};
const root = { ...vscode, user: "root", uid: 0, gid: 0, home: "/root" };

interface Kind {
  readonly image: string;
  readonly options: readonly string[];
  readonly target: Omit<Target, "container">;
  readonly writable?: string;
  readonly has: Place["has"];
  readonly web?: number;
}

const inTown = ["--network", "town"];
const hardened = ["--read-only", "--cap-drop=ALL"];
const kinds: Readonly<Record<string, Kind>> = {
  "glibc, user vscode": {
    image: "glibc",
    options: inTown,
    target: vscode,
    has: ["rsync", "ssh-add", "service"],
  },
  busybox: {
    image: "busybox",
    options: inTown,
    target: { ...vscode, shell: "/bin/sh" },
    has: ["service"],
  },
  root: {
    image: "glibc",
    options: [],
    target: root,
    has: ["rsync", "ssh-add"],
  },
  "a user with nologin": {
    image: "glibc",
    options: [],
    target: {
      ...vscode,
      ...{ user: "svc", uid: 1001, gid: 1001, home: "/home/svc" },
      shell: "/usr/sbin/nologin",
    },
    has: ["rsync", "ssh-add"],
  },
  "distroless, no passwd": {
    image: "distroless",
    options: ["--user", "65532"],
    target: {
      ...vscode,
      ...{ user: "nonroot", uid: 65532, gid: 65532, home: "/" },
      ...{ shell: "", workspaceFolder: "" },
    },
    writable: "/dev/shm",
    has: [],
  },
  "read-only, no capabilities, no new privileges": {
    image: "glibc",
    options: [...hardened, "--security-opt", "no-new-privileges"],
    target: vscode,
    writable: "/dev/shm",
    has: ["rsync", "ssh-add"],
  },
  "another container's network": {
    image: "glibc",
    options: ["--network", "container:gh-first"],
    target: vscode,
    has: ["rsync", "ssh-add", "service"],
    web: 8081,
  },
};

/** Starts a container whose first process is a web server on its loopback. */
async function start(
  name: string,
  image: string,
  { options = [] as readonly string[], listen = "127.0.0.1:8080" } = {},
): Promise<string> {
  const busybox = image === "distroless" ? "/busybox" : "/bin/busybox";
  return docker(
    ...["run", "--detach", "--name", name, "--user", "0", ...options, image],
    ...[busybox, "httpd", "-f", "-h", "/www", "-p", listen],
  );
}

async function placeOf(kind: Kind, name: string): Promise<Place> {
  const web = kind.web ?? 8080;
  const container = await start(name, kind.image, {
    options: kind.options,
    listen: `127.0.0.1:${String(web)}`,
  });
  return {
    target: { ...kind.target, container },
    writable: kind.writable ?? "/tmp",
    web,
    says: `hello from ${kind.image}`,
    has: kind.has,
  };
}

describe.skipIf(reason !== undefined)(
  `SSH into a container${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    beforeAll(async () => {
      await docker("network", "create", "town");
      await start("db", "busybox", { options: inTown, listen: "8080" });
      await start("gh-first", "busybox", { options: inTown });
    });
    afterAll(() => bed.close());

    describe.each(Object.entries(kinds))("%s", (name, kind) => {
      let place: Place;
      beforeAll(async () => {
        const label = `kind-${String(Object.keys(kinds).indexOf(name))}`;
        place = await placeOf(kind, label);
        const answer = await bed.set(place.target);
        expect(answer["code"], String(answer["message"])).toBe(0);
      });
      test.each(Object.entries(checks))("%s", (_, check) => check(bed, place));
      afterAll(() => docker("rm", "--force", place.target.container));
    });

    test("ports of the VM lead into it, and to services that it knows by name", async () => {
      const container = await start("relaying", "glibc", { options: inTown });
      const [own, service, nobody] = await freePorts(3);
      const relays = [
        { listen: own!, host: "127.0.0.1", port: 8080 },
        { listen: service!, host: "db", port: 8080 },
        { listen: nobody!, host: "127.0.0.1", port: 9 },
      ];
      const answer = await bed.set({ ...vscode, container, relays });
      expect(answer["code"], String(answer["message"])).toBe(0);
      const get = async (port: number): Promise<string> =>
        (await fetch(`http://127.0.0.1:${String(port)}/`)).text();
      expect((await get(own!)).trim()).toBe("hello from glibc");
      expect((await get(service!)).trim()).toBe("hello from busybox");
      await expect(get(nobody!)).rejects.toThrow();
      // Another target has none of them.
      expect(await bed.set({ ...vscode, container })).toMatchObject({
        ok: true,
      });
      await expect(get(own!)).rejects.toThrow();
      await docker("rm", "--force", container);
    });

    test("a service that says a word and then nothing keeps nobody waiting", async () => {
      const container = await start("patient", "glibc", { options: inTown });
      await docker(
        ...["exec", "--detach", "db", "/bin/busybox", "sh", "-c"],
        "(echo a word; sleep 300) | nc -l -p 9000",
      );
      const [listen = 0] = await freePorts(1);
      const relays = [{ listen, host: "db", port: 9000 }];
      expect(await bed.set({ ...vscode, container, relays })).toMatchObject({
        ok: true,
      });
      const socket = connect(listen, "127.0.0.1");
      try {
        socket.write("a question\n");
        const [word] = (await once(socket, "data")) as [Buffer];
        expect(word.toString()).toBe("a word\n");
        const done = await bed.ssh(["landing", "echo here"]);
        expect(done.stdout, done.stderr).toBe("here\n");
      } finally {
        socket.destroy();
      }
      await docker("rm", "--force", container);
    });

    describe("a container that comes and goes", () => {
      const name = "changing";
      const target = { ...vscode, container: name };
      const id = async () =>
        (await bed.ssh(["landing", "echo $HOSTNAME"])).stdout.trim();
      const open = () => start(name, "glibc", { options: ["--hostname", "h"] });

      test("is reached again after a restart, and when it was made again", async () => {
        await open();
        expect(await bed.set(target)).toMatchObject({ ok: true });
        expect(await id()).toBe("h");
        await docker("restart", "--time", "0", name);
        expect(await id()).toBe("h");
        await docker("rm", "--force", name);
        await open();
        // The clients' known_hosts is strict: the host key is the same.
        expect(await id()).toBe("h");
      });

      test("says why it can't be reached", async () => {
        // For two seconds, a failure answers the connections that follow.
        const pastFailure = () =>
          new Promise((resolve) => setTimeout(resolve, 2100));
        // A failure answers the connections of the next seconds, too.
        const refused = (why: string) =>
          eventually(async () =>
            expect((await bed.ssh(["-v", "landing", "true"])).stderr).toContain(
              `Guesthouse: ${why}`,
            ),
          );
        await docker("pause", name);
        expect(await bed.set(target)).toMatchObject({
          ok: false,
          code: 1,
          message: "The dev container is paused.",
        });
        await docker("unpause", name);
        await docker("stop", "--time", "0", name);
        await pastFailure();
        await refused("The dev container isn't running (exited).");
        await docker("rm", "--force", name);
        await pastFailure();
        await refused('There is no container "changing" in the VM');
        expect(await bed.journal()).toContain("There is no container");
      });

      test("leaves other connections a place", async () => {
        await open();
        expect(await bed.set(target)).toMatchObject({ ok: true });
        const idle = Array.from({ length: 100 }, () =>
          connect(bed.port, "127.0.0.1").on("error", () => undefined),
        );
        const status = () => bed.command("status");
        await eventually(async () =>
          expect((await status())["connections"]).toBe(64),
        );
        for (const socket of idle) socket.destroy();
        await eventually(async () =>
          expect((await status())["connections"]).toBe(0),
        );
        expect(await id()).toBe("h");
      });

      test("is forgotten, with its connections and keys", async () => {
        expect(await bed.command("clear")).toMatchObject({ ok: true });
        expect(await bed.command("status")).toMatchObject({
          target: null,
          hostKey: null,
          listener: null,
        });
        await eventually(async () =>
          expect((await bed.ssh(["-v", "landing", "true"])).stderr).toContain(
            "This VM has no dev container to connect to yet.",
          ),
        );
        await docker("rm", "--force", name);
      });
    });

    describe.each(Object.entries(attacks))("%s", (_, attack) => {
      test("gains nothing", () => attack(bed, { ...root, container: "bad" }));
      afterEach(() => docker("rm", "--force", "bad"));
    });
  },
);
