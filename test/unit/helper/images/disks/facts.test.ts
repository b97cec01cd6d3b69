import { execa } from "execa";
import {
  chmod,
  mkdir,
  mkdtemp,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type ImageFacts,
  imageFactsSchema,
  readImageFacts,
} from "../../../../../src/helper/images/disks/facts.ts";

const script = join(
  import.meta.dirname,
  "../../../../../resources/guest/image-facts.sh",
);

describe.skipIf(process.platform === "win32")(
  "facts of an image's tree (a POSIX shell script)",
  () => {
    let root: string;
    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), "tree-"));
    });
    afterEach(() => rm(root, { recursive: true }));

    const put = async (path: string, text = ""): Promise<void> => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
      await chmod(join(root, path), 0o755);
    };
    const link = async (path: string, target: string): Promise<void> => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await symlink(target, join(root, path));
    };
    const facts = async (): Promise<ImageFacts> =>
      imageFactsSchema.parse(
        JSON.parse((await execa("sh", [script, root])).stdout),
      );

    test("an empty tree has nothing, and says so in the same shape", async () => {
      expect(await facts()).toEqual({
        kernel: { version: "", modules: [], builtin: [] },
        init: "",
        sshd: { present: false, allowTcpForwarding: true },
        guestAgent: false,
        handoff: null,
        cloudInit: { present: false, datasources: [] },
        networkOwners: [],
        fstab: [],
        maskedUnits: [],
        hostKeysPresent: false,
        machineIdEmpty: true,
        suspiciousTokens: [],
      });
    });

    test("B11: kernel modules, compressed or built in; without a kernel none", async () => {
      await put("lib/modules/6.1.0-9/kernel/drivers/block/virtio_blk.ko");
      await put("lib/modules/6.1.0-9/kernel/drivers/char/virtio-rng.ko.xz");
      await put("lib/modules/6.1.0-9/kernel/sound/snd.ko");
      await put(
        "lib/modules/6.1.0-9/modules.builtin",
        "kernel/fs/ext4/ext4.ko\nkernel/lib/crc16.ko\n",
      );
      expect((await facts()).kernel).toEqual({
        version: "6.1.0-9",
        modules: ["virtio_blk", "virtio_rng"],
        builtin: ["ext4"],
      });
    });

    test("B11: every enabled network owner is listed", async () => {
      const wants = "etc/systemd/system/multi-user.target.wants";
      await link(`${wants}/systemd-networkd.service`, "/lib/x.service");
      expect((await facts()).networkOwners).toEqual(["systemd-networkd"]);
      await link(`${wants}/NetworkManager.service`, "/lib/y.service");
      expect((await facts()).networkOwners).toEqual([
        "NetworkManager",
        "systemd-networkd",
      ]);
    });

    test("B25: sshd's drop-ins win over its main file; Match blocks don't count", async () => {
      await put("usr/sbin/sshd");
      await put("etc/ssh/sshd_config", "AllowTcpForwarding no\n");
      expect((await facts()).sshd).toEqual({
        present: true,
        allowTcpForwarding: false,
      });
      await put("etc/ssh/sshd_config.d/10.conf", "allowtcpforwarding YES\n");
      expect((await facts()).sshd.allowTcpForwarding).toBe(true);
      await rm(join(root, "etc/ssh/sshd_config.d/10.conf"));
      await put(
        "etc/ssh/sshd_config",
        "Match User x\n  AllowTcpForwarding no\n",
      );
      expect((await facts()).sshd.allowTcpForwarding).toBe(true);
    });

    test("B28: fstab and masked units", async () => {
      await put(
        "etc/fstab",
        "# comment\nUUID=1 / ext4 rw,noatime 0 1\n/dev/sdb\t/data\n",
      );
      await link("etc/systemd/system/apt-daily.timer", "/dev/null");
      await link("etc/systemd/system/sshd.service", "/lib/ssh.service");
      const found = await facts();
      expect(found.fstab).toEqual([
        { device: "UUID=1", mount: "/", options: "rw,noatime" },
        { device: "/dev/sdb", mount: "/data", options: "defaults" },
      ]);
      expect(found.maskedUnits).toEqual(["apt-daily.timer"]);
    });

    test.each([
      ["one line", "datasource_list: [ NoCloud, None ]\n"],
      ["quoted", `datasource_list: ["NoCloud", 'None'] # comment\n`],
      [
        "a list over lines",
        "datasource_list:\n  - NoCloud\n  - None\nusers: []\n",
      ],
      ["brackets over lines", "datasource_list: [\n  NoCloud,\n  None\n]\n"],
    ])("cloud-init's data sources: %s", async (_, text) => {
      await put("usr/bin/cloud-init");
      await put("etc/cloud/cloud.cfg", "datasource_list: [Ec2]\n");
      await put("etc/cloud/cloud.cfg.d/90.cfg", text);
      expect((await facts()).cloudInit).toEqual({
        present: true,
        datasources: ["NoCloud", "None"],
      });
    });

    test("init and identity", async () => {
      await link("sbin/init", "/lib/systemd/systemd");
      await put("usr/sbin/qemu-ga");
      await put("etc/machine-id", "uninitialized\n");
      await put("etc/ssh/ssh_host_ed25519_key");
      expect(await facts()).toMatchObject({
        init: "systemd",
        guestAgent: true,
        machineIdEmpty: true,
        hostKeysPresent: true,
      });
      await put("etc/machine-id", `${"0123456789abcdef".repeat(2)}\n`);
      expect((await facts()).machineIdEmpty).toBe(false);
    });

    test("B35: the version of the installed handoff service, by both init systems", async () => {
      const install = join(script, "../handoff/install.sh");
      const installed = async (path: string): Promise<boolean> =>
        (await execa("test", ["-e", join(root, path)], { reject: false }))
          .exitCode === 0;
      await execa("sh", [install, root]);
      expect((await facts()).handoff).toBeNull();
      await put("usr/bin/python3");
      await execa("sh", [install, root]);
      expect((await facts()).handoff).toBe(1);
      expect(
        await installed("etc/systemd/system/guesthouse-handoff.service"),
      ).toBe(true);
      await put("sbin/openrc-run");
      await execa("sh", [install, root]);
      expect(await installed("etc/init.d/guesthouse-handoff")).toBe(true);
    });

    test("B11: placeholders nobody filled in, outside comments", async () => {
      await put(
        "etc/systemd/network/10.network",
        "# __COMMENT__\n[Network]\nAddress=__VM_IP__\nGateway=undefined\n",
      );
      await put("etc/hostname", "{{ name }}\n");
      await put("etc/hosts", "127.0.0.1 undefined-behaviour.example\n");
      expect((await facts()).suspiciousTokens).toEqual([
        { file: "/etc/hostname", token: "{{ name }}" },
        { file: "/etc/systemd/network/10.network", token: "__VM_IP__" },
        { file: "/etc/systemd/network/10.network", token: "undefined" },
      ]);
    });

    test("names with quotes and backslashes stay valid JSON", async () => {
      await link('etc/systemd/system/a"b\\x2dc.mount', "/dev/null");
      expect((await facts()).maskedUnits).toEqual(['a"b\\x2dc.mount']);
    });
  },
);

describe("facts that are none", () => {
  const facts: ImageFacts = {
    kernel: { version: "6.1", modules: ["virtio_blk"], builtin: [] },
    init: "systemd",
    sshd: { present: true, allowTcpForwarding: true },
    guestAgent: true,
    handoff: 1,
    cloudInit: { present: true, datasources: [] },
    networkOwners: [],
    fstab: [],
    maskedUnits: [],
    hostKeysPresent: false,
    machineIdEmpty: true,
    suspiciousTokens: [],
  };
  const printed = JSON.stringify(facts);

  test("what the script prints is read", () => {
    expect(readImageFacts(`${printed}\n`)).toEqual(facts);
  });

  test.each([
    ["garbage", "sh: 1: not found"],
    ["nothing", ""],
    ["cut short", printed.slice(0, -2)],
    ["another type", JSON.stringify({ ...facts, guestAgent: "yes" })],
    ["an enormous field", JSON.stringify({ ...facts, init: "x".repeat(1e6) })],
    [
      "an endless list",
      JSON.stringify({ ...facts, maskedUnits: new Array(20_000).fill("") }),
    ],
  ])("%s makes an image that can't be used, and says why", (_, text) => {
    expect(() => readImageFacts(text)).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({
          code: "images.invalid",
          message: expect.stringMatching(/^.{20,1000}$/) as string,
        }) as object,
      }) as Error,
    );
  });
});
