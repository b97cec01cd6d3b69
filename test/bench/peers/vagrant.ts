import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { libvirtPrograms } from "./libvirt.ts";
import type { Peer } from "./peer.ts";
import { shape, type Stage } from "./stage.ts";

const programs = { ...libvirtPrograms, vagrant: "vagrant-libvirt" };

async function pluginMissing(): Promise<string | undefined> {
  const { stdout } = await execa("vagrant", ["plugin", "list"], {
    reject: false,
  });
  return stdout.includes("vagrant-libvirt")
    ? undefined
    : "vagrant has no plugin vagrant-libvirt (apt-get install vagrant-libvirt)";
}

/** `vagrant up` of a box that is unpacked and known to libvirt already; it logs in itself before it is done. */
export const vagrantUp: Peer = {
  name: "vagrant-libvirt: up",
  kind: "create",
  programs,
  whyNot: pluginMissing,
  async prepare(stage) {
    // Whoever is up first copies the box to libvirt's pool.
    await keptProject(stage);
    const vagrant = await makeProject(stage, "up");
    return {
      run: vagrant.up,
      reset: () => vagrant.run("destroy", "--force"),
    };
  },
};

export const vagrantRestore: Peer = {
  name: "vagrant-libvirt: snapshot restore",
  kind: "restore",
  programs,
  whyNot: pluginMissing,
  async prepare(stage) {
    const vagrant = await keptProject(stage);
    return {
      async run() {
        await vagrant.run("snapshot", "restore", "here", "--no-provision");
        await vagrant.untilSsh();
      },
      reset: vagrant.rest,
    };
  },
};

const kept = new WeakMap<Stage, Promise<Project>>();

/** A machine with a snapshot `here`; it stands still while others are measured. */
function keptProject(stage: Stage): Promise<Project> {
  const making =
    kept.get(stage) ??
    (async () => {
      const vagrant = await makeProject(stage, "kept");
      await vagrant.up();
      await vagrant.run("snapshot", "save", "here");
      await vagrant.rest();
      return vagrant;
    })();
  kept.set(stage, making);
  return making;
}

interface Project {
  readonly run: (...args: string[]) => Promise<string>;
  readonly up: () => Promise<void>;
  /** At the address that it had when it was last up: a snapshot's guest doesn't ask for one anew. */
  readonly untilSsh: () => Promise<void>;
  /** Its processors stand still. */
  readonly rest: () => Promise<unknown>;
}

async function makeProject(stage: Stage, name: string): Promise<Project> {
  const home = join(stage.folder, "vagrant.d");
  const folder = join(stage.folder, `vagrant-${name}`);
  await mkdir(folder);
  await addBox(stage, home);
  await writeFile(join(folder, "Vagrantfile"), vagrantfile(stage));
  const domain = `vagrant-${name}_default`;
  const { virsh } = await stage.libvirt();
  const run = (...args: string[]): Promise<string> =>
    stage.namespace.run("vagrant", args, {
      env: {
        VAGRANT_HOME: home,
        VAGRANT_CWD: folder,
        HOME: stage.folder,
        VAGRANT_CHECKPOINT_DISABLE: "1",
      },
    });
  let host = "";
  const untilSsh = (): Promise<void> =>
    stage.untilSsh({ user: stage.user, host });
  return {
    run,
    untilSsh,
    rest: () => virsh("suspend", domain),
    async up() {
      await run("up", "--provider=libvirt", "--no-provision");
      const leases = await virsh("domifaddr", domain);
      host = /(\d+\.\d+\.\d+\.\d+)\//.exec(leases)?.[1] ?? "";
      if (host === "") throw new Error(`${domain} has no address`);
      await untilSsh();
    },
  };
}

/** As `vagrant box add` leaves it. */
async function addBox(stage: Stage, home: string): Promise<void> {
  const folder = join(home, "boxes", "bench", "0", "libvirt");
  if ((await mkdir(folder, { recursive: true })) === undefined) return;
  const disk = await stage.bootedDisk();
  const { stdout } = await execa("qemu-img", ["info", "--output=json", disk]);
  const bytes = (JSON.parse(stdout) as { "virtual-size": number })[
    "virtual-size"
  ];
  await symlink(disk, join(folder, "box.img"));
  await writeFile(
    join(folder, "metadata.json"),
    JSON.stringify({
      provider: "libvirt",
      format: "qcow2",
      virtual_size: Math.ceil(bytes / 1024 ** 3),
    }),
  );
  await writeFile(
    join(folder, "Vagrantfile"),
    'Vagrant.configure("2") { |config| }\n',
  );
}

/** Paths and kernel arguments hold nothing that Ruby would read inside a string. */
const text = (value: string): string => JSON.stringify(value);

/** On q35's own bus, where libvirt puts nothing of its own. */
const seedSlot = "0x10";

const vagrantfile = ({ golden, seed, user, key }: Stage): string => `
Vagrant.configure("2") do |config|
  config.vm.box = "bench"
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.ssh.username = ${text(user)}
  config.ssh.private_key_path = ${text(key)}
  config.ssh.insert_key = false
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = "qemu"
    libvirt.cpu_mode = "maximum"
    libvirt.machine_type = "q35"
    libvirt.cpus = ${String(shape.cpus)}
    libvirt.memory = ${String(shape.memoryMiB)}
    libvirt.graphics_type = "none"
    libvirt.kernel = ${text(golden.kernel)}
    libvirt.initrd = ${text(golden.initrd)}
    libvirt.cmd_line = ${text(golden.kernelArguments)}
    libvirt.qemuargs value: "-drive"
    libvirt.qemuargs value: ${text(`file=${seed},if=none,id=seed,format=raw,readonly=on`)}
    libvirt.qemuargs value: "-device"
    libvirt.qemuargs value: "virtio-blk-pci,drive=seed,bus=pcie.0,addr=${seedSlot}"
  end
end
`;
