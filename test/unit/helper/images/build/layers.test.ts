import { execa } from "execa";
import {
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  layerFolders,
  layerPackages,
  readCompiledList,
} from "../../../../../src/helper/images/build/layers.ts";
import { packLayer } from "../../../../../src/helper/images/prepare/packLayer.ts";

const guest = join(import.meta.dirname, "../../../../../resources/guest");

describe("the layers that ship", () => {
  const containers = { release: "trixie", layers: ["engine"] } as const;

  test("the image for containers has Debian's packages, the engine and what its tools need", async () => {
    const folders = layerFolders(guest, containers);
    const packages = await layerPackages(folders, "amd64");
    expect(packages).toEqual(
      expect.arrayContaining([
        ...["docker.io", "docker-cli", "docker-buildx", "docker-compose"],
        ...["nodejs", "iptables", "git", "openssh-server", "cloud-init"],
        ...["busybox-static", "openssh-sftp-server", "patchelf"],
        "linux-image-amd64",
      ]),
    );
    expect(new Set(packages).size).toBe(packages.length);
  });

  test("plain Debian has none of that", async () => {
    for (const release of ["bookworm", "trixie"] as const) {
      const folders = layerFolders(guest, { release, layers: [] });
      const packages = await layerPackages(folders, "amd64");
      expect(packages.filter((name) => /docker|node/.test(name))).toEqual([]);
    }
  });

  test("the engine's logs have limits, it listens nowhere but on its socket, and ends its containers itself", async () => {
    const settings = JSON.parse(
      await readFile(
        join(guest, "engine/files/etc/docker/daemon.json"),
        "utf8",
      ),
    ) as Record<string, unknown>;
    expect(settings).toMatchObject({
      "log-driver": "local",
      "log-opts": { "max-size": "20m", "max-file": "5" },
      "storage-driver": "overlay2",
      "live-restore": false,
    });
    expect(settings).not.toHaveProperty("hosts");
  });

  test("a container may ask for half a million files", async () => {
    for (const unit of ["docker", "containerd"]) {
      const text = await readFile(
        join(
          guest,
          `engine/files/etc/systemd/system/${unit}.service.d/50-guesthouse.conf`,
        ),
        "utf8",
      );
      const limit = /^LimitNOFILE=(\d+)$/m.exec(text)?.[1];
      expect(Number(limit)).toBeGreaterThanOrEqual(1_048_576);
    }
  });
});

test("the list of programs: a name and a path each, with comments", () => {
  expect(
    readCompiledList("# what ships\ncli /usr/lib/cli # pinned\n\nlonely\n"),
  ).toEqual([{ program: "cli", path: "/usr/lib/cli" }]);
});

describe.skipIf(process.platform === "win32")("a layer", () => {
  let folder: string;
  const at = (path: string): string => join(folder, path);
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(join(at(path), ".."), { recursive: true });
    await writeFile(at(path), text);
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gh layer-"));
    await put("guest/engine/files/etc/one.conf", "1");
    await put("guest/engine/files/usr/lib/guesthouse/bin/run", "#!/bin/sh\n");
    await put("guest/engine/compiled.txt", "cli /usr/lib/guesthouse/cli\n");
    await put("guest/engine/masked-units.txt", "# why\na.service\n");
    await put("guest/engine/install.sh", 'touch "$1/installed"\n');
    await put("guest/debian/layer.sh", await layerScript());
    await put("dist/cli/sub/cli.js", "cli");
    await mkdir(at("root"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const layerScript = (): Promise<string> =>
    readFile(join(guest, "debian/layer.sh"), "utf8");

  test.skipIf(process.getuid?.() !== 0)(
    "puts its files, programs and masks into a system (as root)",
    async () => {
      await execa("sh", [
        at("guest/debian/layer.sh"),
        ...[at("root"), at("dist"), at("guest/engine")],
      ]);
      const mode = async (path: string): Promise<string> =>
        ((await stat(at(`root/${path}`))).mode & 0o777).toString(8);
      expect(await mode("etc/one.conf")).toBe("644");
      expect(await mode("usr/lib/guesthouse/bin/run")).toBe("755");
      expect(await mode("usr/lib/guesthouse/cli/sub/cli.js")).toBe("644");
      expect(await readlink(at("root/etc/systemd/system/a.service"))).toBe(
        "/dev/null",
      );
      await stat(at("root/installed"));
    },
  );

  test("as an archive has the same files, and the script beside them", async () => {
    const archive = await packLayer(
      { resources: at("guest"), compiled: at("dist") },
      "engine",
    );
    const names: string[] = [];
    const reader = extract();
    reader.end(archive);
    for await (const entry of reader) {
      names.push(entry.header.name);
      await buffer(entry);
    }
    expect(names.sort()).toEqual([
      "compiled/cli/sub/cli.js",
      "engine/compiled.txt",
      "engine/files/etc/one.conf",
      "engine/files/usr/lib/guesthouse/bin/run",
      "engine/install.sh",
      "engine/masked-units.txt",
      "layer.sh",
    ]);
  });

  test("that isn't there is nothing", async () => {
    expect(
      await packLayer(
        { resources: at("guest"), compiled: at("dist") },
        "landing",
      ),
    ).toBeUndefined();
  });
});
