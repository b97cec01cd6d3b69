import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { shape, type Stage, writeAt } from "./stage.ts";

/** libvirt's own daemon in the stage's namespace, with its usual network. One machine at a time has `address`. */
export interface Libvirt {
  readonly virsh: (...args: string[]) => Promise<string>;
  /** The card's, to which the network's DHCP server always hands out `address`: nobody has to look for it. */
  readonly mac: string;
  readonly address: string;
  /** An overlay `<folder>/<name>.qcow2` above a disk. */
  readonly overlay: (name: string, backing: string) => Promise<string>;
  /** Defines a machine of the bench's shape with our kernel and seed. */
  readonly define: (name: string, disk: string) => Promise<void>;
}

const uri = "qemu:///system";
export const connect = ["--connect", uri];
const mac = "52:54:00:be:00:10";
const address = "192.168.122.10";

/** Programs and packages that libvirt itself takes. */
export const libvirtPrograms = {
  libvirtd: "libvirt-daemon-system",
  virtlogd: "libvirt-daemon-system",
  virsh: "libvirt-clients",
  dnsmasq: "dnsmasq-base",
  iptables: "iptables",
};

export async function startLibvirt(stage: Stage): Promise<Libvirt> {
  const { namespace, folder } = stage;
  const settings = join(folder, "etc-libvirt");
  await mkdir(settings, { recursive: true });
  // Its guests run as we do: everything belongs to this run's folder, so there is nobody to keep them from.
  await writeFile(
    join(settings, "qemu.conf"),
    'user = "root"\ngroup = "root"\ndynamic_ownership = 0\ncgroup_controllers = []\nnamespaces = []\nsecurity_driver = "none"\n',
  );
  await writeFile(
    join(settings, "libvirtd.conf"),
    'auth_unix_ro = "none"\nauth_unix_rw = "none"\n',
  );
  await namespace.run("virtlogd", ["-d"]);
  await namespace.run("libvirtd", ["-d"]);
  const virsh = (...args: string[]): Promise<string> =>
    namespace.run("virsh", ["-q", ...connect, ...args]);
  for (let tries = 0; ; tries++) {
    if (await namespace.succeeds("virsh", [...connect, "version"])) break;
    if (tries === 50) throw new Error("libvirtd doesn't answer");
    await new Promise((wake) => setTimeout(wake, 200));
  }
  await virsh("net-define", await writeAt(stage, "network.xml", network));
  await virsh("net-start", "default");
  return {
    virsh,
    mac,
    address,
    async overlay(name, backing) {
      const path = join(folder, `${name}.qcow2`);
      await execa("qemu-img", [
        ...["create", "-q", "-f", "qcow2", "-F", "qcow2"],
        ...["-b", backing, path],
      ]);
      return path;
    },
    async define(name, disk) {
      const xml = domain(stage, name, disk);
      await virsh("define", await writeAt(stage, `${name}.xml`, xml));
    },
  };
}

/** As libvirt's own `default`, and one address that is known beforehand. */
const network = `
<network>
  <name>default</name>
  <forward mode="nat"/>
  <bridge name="virbr0"/>
  <ip address="192.168.122.1" netmask="255.255.255.0">
    <dhcp>
      <range start="192.168.122.100" end="192.168.122.254"/>
      <host mac="${mac}" ip="${address}"/>
    </dhcp>
  </ip>
</network>`;

function domain(stage: Stage, name: string, disk: string): string {
  const { kernel, initrd, kernelArguments } = stage.golden;
  return `
<domain type="qemu">
  <name>${name}</name>
  <memory unit="MiB">${String(shape.memoryMiB)}</memory>
  <vcpu>${String(shape.cpus)}</vcpu>
  <cpu mode="maximum"/>
  <os>
    <type machine="q35">hvm</type>
    <kernel>${kernel}</kernel>
    <initrd>${initrd}</initrd>
    <cmdline>${kernelArguments}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2"/>
      <source file="${disk}"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <disk type="file" device="disk">
      <driver name="qemu" type="raw"/>
      <source file="${stage.seed}"/>
      <target dev="vdb" bus="virtio"/>
      <readonly/>
    </disk>
    <interface type="network">
      <mac address="${mac}"/>
      <source network="default"/>
      <model type="virtio"/>
    </interface>
    <serial type="file"><source path="${join(stage.folder, `${name}.log`)}"/></serial>
    <rng model="virtio"><backend model="random">/dev/urandom</backend></rng>
  </devices>
</domain>`;
}
