/*
 * A dev container in a VM: a Compose file with a Dockerfile, a feature and a database comes up from stand-in registries, is
 * landed in, opened again, changed and made again. One VM, from a warm template of its own, as its proxy is part of it.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ImageRegistry,
  startImageRegistry,
} from "../../scripts/lib/imageRegistry.mjs";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import { type Ended, type Household, household } from "./household.ts";
import { engineShape } from "./warmGuests.ts";

let registry: ImageRegistry;
let house: Household;
let root: string;
let folder: string;
let alias: string;

const compose = `services:
  app:
    build:
      context: ..
      dockerfile: .devcontainer/Dockerfile
      args: { WHO: "\${WHO:-nobody}" }
    command: sleep infinity
    restart: unless-stopped
    volumes: ["..:/workspace:cached", "cache:/cache", "\${GH_GIVEN_FOLDER:-/none}:/given:ro"]
    environment: [GH_GIVEN]
    extra_hosts: ["host.docker.internal:host-gateway"]
    depends_on: { db: { condition: service_healthy } }
    env_file: [app.env]
  db:
    image: postgres:16
    ports: ["127.0.0.1:15432:5432"]
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: secret, POSTGRES_DB: shop }
    healthcheck:
      { test: ["CMD-SHELL", "pg_isready -U app -d shop"], interval: 10s, timeout: 10s, retries: 60 }
volumes: { cache: {} }
`;
const dockerfile = `ARG TAG=bookworm
FROM mcr.microsoft.com/devcontainers/base:\${TAG}
ARG WHO
RUN echo "built for $WHO" > /etc/built
`;
const file: Record<string, unknown> = {
  name: "Shop",
  dockerComposeFile: "compose.yml",
  service: "app",
  workspaceFolder: "/workspace",
  features: { "ghcr.io/devcontainers/features/node:1": { version: "20" } },
  remoteEnv: { PATH: "${containerEnv:PATH}:/opt/mine", PORT: 3000 },
  forwardPorts: [3000, "db:5432"],
  portsAttributes: { "db:5432": { label: "Database" } },
  customizations: {
    guesthouse: { cpus: 2, memory: "2gb" },
    vscode: { settings: { "editor.tabSize": 3 }, extensions: ["acme.tool"] },
  },
  onCreateCommand: "echo onCreate >> ~/ran",
  postStartCommand: { a: "echo postStart >> ~/ran" },
  postAttachCommand: "echo postAttach >> ~/ran",
};
const put = (change: Record<string, unknown> = {}): Promise<void> =>
  writeFile(
    join(folder, ".devcontainer", "devcontainer.json"),
    `\ufeff// a comment\n${JSON.stringify(Object.assign(file, change), null, 2)}`,
  );

const up = async (...flags: string[]): Promise<CameUp> =>
  house.json<CameUp>(["up", ...flags, folder]);
const ssh = (command: string, options: string[] = []): Promise<Ended> =>
  house.ssh(alias, [command], options);
const said = async (command: string): Promise<string> => {
  const { exitCode, stdout, stderr } = await ssh(command);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
};
const stages = ({ stages: all }: CameUp): string[] =>
  all.map(({ stage }) => stage);
const ran = (): Promise<string> => said("cat ~/ran | tr '\\n' ' '");

/** The template that is made once has the proxy's address in it. */
const usualPort = 47_113;

beforeAll(async () => {
  registry = await startImageRegistry({ port: usualPort }).catch(() =>
    startImageRegistry(),
  );
  root = await mkdtemp(join(tmpdir(), "gh-container-"));
  house = await household({
    ...registry.env(`http://10.0.2.2:${String(registry.port)}`),
    GH_GIVEN: "a 'word' of this computer",
    GH_GIVEN_FOLDER: join(root, "given"),
  });
  await mkdir(join(root, "given"));
  await writeFile(join(root, "given", "note.txt"), "handed over\n");
  folder = join(root, "shop");
  await mkdir(join(folder, ".devcontainer"), { recursive: true });
  await writeFile(join(folder, ".devcontainer", "compose.yml"), compose);
  await writeFile(join(folder, ".devcontainer", "Dockerfile"), dockerfile);
  await writeFile(join(folder, ".devcontainer", "app.env"), "FROM_FILE=a b\n");
  await writeFile(join(folder, ".devcontainer", ".env"), "WHO=somebody\n");
  await writeFile(join(folder, "notes.txt"), "from the host\n");
  await put();
  await house.json(["image", "pull", "containers"]);
  await house.json([
    ...["template", "warm-up", "containers"],
    ...[...engineShape, "--disk", "64G"],
  ]);
}, 1_200_000);

afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await registry.close();
  await rm(root, { recursive: true, force: true });
});

describe("a Compose file in a VM", () => {
  test("comes up as the file says: build, feature, database, user, environment", async () => {
    const refused = await house.guesthouse(["up", folder]);
    expect(refused.stderr).toContain(join(root, "given"));
    const came = await up("--host-paths", "share-readonly");
    ({ alias } = came);
    expect(came).toMatchObject({ user: "vscode", remoteFolder: "/workspace" });
    expect(stages(came)).toEqual([
      ...["machine", "files", "container", "environment"],
      ...["onCreateCommand", "postStartCommand", "postAttachCommand"],
    ]);
    expect(came.workspace.extensions).toContain("acme.tool");
    expect(await said("id -un; pwd; cat notes.txt /etc/built")).toBe(
      "vscode\n/workspace\nfrom the host\nbuilt for somebody",
    );
    expect(await said("echo $FROM_FILE, $PORT, ${PATH##*:}")).toBe(
      "a b, 3000, /opt/mine",
    );
    expect(await said("cat /usr/local/share/feature-marks/node")).toMatch(
      /VERSION=20/,
    );
    // A slow postAttachCommand goes on behind the answer.
    await expect
      .poll(ran, { timeout: 60_000 })
      .toBe("onCreate postStart postAttach ");
    expect(
      await said("cat ~/.vscode-server/data/Machine/settings.json"),
    ).toMatch(/"editor.tabSize": 3/);
  });

  test("what its Compose file names of this computer is there; host-gateway is never the VM", async () => {
    expect(await said("cat /given/note.txt; echo $GH_GIVEN")).toBe(
      "handed over\na 'word' of this computer",
    );
    expect((await ssh("touch /given/x")).exitCode).not.toBe(0);
    await writeFile(join(root, "given", "note.txt"), "changed here\n");
    await expect
      .poll(() => said("cat /given/note.txt"), { timeout: 10_000 })
      .toBe("changed here");
    const began = Date.now();
    expect(
      (await ssh("timeout 60 bash -c '< /dev/tcp/host.docker.internal/22'"))
        .stderr,
    ).toMatch(/unreachable/);
    expect(Date.now() - began).toBeLessThan(60_000);
  });

  test("its alias leads into the container, the other one to the VM; both are shown", async () => {
    const machine = await house.machine(alias);
    expect(machine).toMatchObject({
      user: "vscode",
      home: "/home/vscode",
      container: { vmAlias: `${alias}-vm`, vmUser: "debian" },
    });
    const inVm = await house.ssh(`${alias}-vm`, [
      "docker ps --format '{{.Label \"com.docker.compose.service\"}}' | sort | tr '\\n' ' '",
    ]);
    expect(inVm.stdout).toBe("app db ");
    const shown = await house.guesthouse(["show", machine.name]);
    expect(shown.stdout).toContain(`ssh ${alias}-vm`);
    expect(shown.stdout).toMatch(/service +app · running · .* · dev container/);
    expect(shown.stdout).toMatch(
      /service +db · running, healthy · postgres:16/,
    );
    expect(
      (await house.guesthouse(["exec", "-C", folder, "--", "id", "-un"]))
        .stdout,
    ).toBe("vscode");
  });

  test("files written in it are those of the VM, and come back", async () => {
    await said("echo from the container > new.txt");
    const { name } = await house.machine(alias);
    const back = await house.guesthouse(["bring-back", "--force", name]);
    expect(back.exitCode, back.stderr).toBe(0);
    expect(await readFile(join(folder, "new.txt"), "utf8")).toBe(
      "from the container\n",
    );
  });

  test("ports of the container and of its services are forwarded, published ones too: the database answers", async () => {
    const { runtime } = await house.machine(alias);
    const [own, ...ofDatabase] = runtime!.forwards;
    expect(own).toMatchObject({ guestPort: 3000 });
    const database = { guestPort: 5432, host: "db", label: "Database" };
    expect(ofDatabase).toMatchObject([database, { ...database, via: 15_432 }]);
    for (const { hostPort } of ofDatabase) {
      const answered = await new Promise<string>((resolve, reject) => {
        const socket = createConnection(hostPort, "127.0.0.1");
        // SSLRequest: a database answers with one letter.
        socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
        socket.once("data", (data) => {
          socket.destroy();
          resolve(data.toString().slice(0, 1));
        });
        socket.once("error", reject);
      });
      expect(answered).toMatch(/^[SN]$/);
    }
  });

  test("a second up asks nobody and does only what is due", async () => {
    registry.requests.length = 0;
    const again = await up();
    expect(stages(again)).toEqual(["machine", "postAttachCommand"]);
    expect(registry.requests).toEqual([]);
    await expect
      .poll(ran, { timeout: 60_000 })
      .toBe("onCreate postStart postAttach postAttach ");
  });

  test("a service that was killed is told by the next up, by its log and by show", async () => {
    await house.ssh(`${alias}-vm`, [
      'docker kill "$(docker ps -q --filter label=com.docker.compose.service=db)"',
    ]);
    // An engine that is slow to answer isn't waited for: the next look tells.
    const told = async () => (await up()).notes.join("\n");
    await expect
      .poll(told, { timeout: 300_000, interval: 1_000 })
      .toMatch(
        /^The service “db” exited with code 137\. .*guesthouse logs \S+ db\. Its last output:\n {4}\S/m,
      );
    const { name } = await house.machine(alias);
    const log = await house.guesthouse(["logs", name, "db", "--tail", "2"]);
    expect(log.exitCode, log.stderr).toBe(0);
    expect(`${log.stdout}\n${log.stderr}`.trim().split("\n")).toHaveLength(2);
    expect(
      (await house.json<{ services: object[] }>(["show", name])).services,
    ).toMatchObject([
      { service: "app", state: "running", devContainer: true },
      { service: "db", state: "exited", exitCode: 137 },
    ]);
  });

  test("a folder of this computer is there after a boot of the VM, though the engine starts the container before it is mounted", async () => {
    const { name } = await house.machine(alias);
    await house.json(["restart", name]);
    expect(await said("cat /given/note.txt")).toBe("changed here");
  });

  test("a change of the file is noticed, and made with the container only", async () => {
    await put({ containerEnv: { ADDED: "yes" } });
    const noticed = await up();
    expect(noticed.workspace).toMatchObject({ rebuild: "container" });
    const { id } = await house.machine(alias);
    const rebuilt = await house.json<CameUp>([
      ...["rebuild", "--container", "--host-paths", "copy", folder],
    ]);
    expect(stages(rebuilt)).toContain("container");
    expect((await house.machine(alias)).id).toBe(id);
    // The client's known_hosts is strict.
    expect(await said("cat new.txt; cat ~/ran")).toMatch(
      /^from the container\nonCreate/,
    );
    // A copy from now on, where a mount was.
    await writeFile(join(root, "given", "note.txt"), "changed later\n");
    expect(await said("cat /given/note.txt")).toBe("changed here");
  });
});
