// What root in a container may try against the VM. Each attack brings up the container "bad", tries, and expects that
// the VM is as it was; where the landing should still work, that it does.
import { existsSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import type { Bed, Target } from "./bed.ts";
import { eventually } from "./checks.ts";

type Attack = (bed: Bed, target: Target) => Promise<void>;

const bring = (bed: Bed, ...options: readonly string[]) =>
  bed.engine.docker(
    ...["run", "--detach", "--name", "bad", ...options, "glibc"],
    ...["sleep", "1000000"],
  );

/** Runs a script as root of the container, without the landing; both outputs. */
const inside = async (bed: Bed, script: string): Promise<string> => {
  const host = ["--host", `unix://${bed.engine.socket}`];
  const done = await bed.run("docker", [
    ...[...host, "exec", "--user", "0", "bad", "bash", "-c", script],
  ]);
  return done.stdout + done.stderr;
};

const works = async (bed: Bed) => {
  const done = await bed.ssh(["landing", "echo in $FROM_IMAGE"]);
  expect(done.stdout, done.stderr).toBe("in image\n");
};

/** What the gate answers to a client of the socket that the container sees, as hex digits. */
const askAgent = (bed: Bed, request: readonly number[]) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(join(bed.folder, "run/shown/agent.sock"));
    socket.on("error", reject);
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(answer.toString("hex"));
    });
    socket.write(Buffer.from([0, 0, 0, request.length, ...request]));
  });

/** Prints the network of each socket that these processes have open, by its inode. */
const printNetworks = `
import ctypes, fcntl, os, sys
take, networkOf = 438, 0x894C  # pidfd_getfd, SIOCGSKNS
for pid in sys.argv[1:]:
  process, folder = os.pidfd_open(int(pid)), f"/proc/{pid}/fd"
  for fd in os.listdir(folder):
    if os.readlink(f"{folder}/{fd}").startswith("socket:"):
      copy = ctypes.CDLL(None).syscall(take, process, int(fd), 0)
      print(os.fstat(fcntl.ioctl(copy, networkOf)).st_ino)
`;

/** Of the sockets of the container's processes with this in their command line. */
async function networksOf(bed: Bed, name: string): Promise<string[]> {
  const top = await bed.engine.docker("top", "bad", "-eo", "pid,args");
  const pids = top
    .split("\n")
    .filter((line) => line.includes(name))
    .map((line) => line.trim().split(/\s+/)[0] ?? "");
  const { stdout } = await bed.run("python3", ["-c", printNetworks, ...pids]);
  return stdout.trim().split("\n");
}

const networkOf = async (pid: string): Promise<string> =>
  /\d+/.exec(await readlink(`/proc/${pid}/ns/net`))?.[0] ?? "";

export const attacks: Readonly<Record<string, Attack>> = {
  "a link in place of the tools' folder": async (bed, target) => {
    await bring(bed);
    const prey = join(bed.folder, "prey");
    await inside(bed, `ln -s ${prey} /dev/.guesthouse`);
    expect(await bed.set(target)).toMatchObject({ ok: true });
    await works(bed);
    expect(existsSync(prey)).toBe(false);
  },
  "files of its own in place of the tools": async (bed, target) => {
    await bring(bed);
    await inside(
      bed,
      "mkdir -p /dev/.guesthouse/bin && ln -s /bin/sleep /dev/.guesthouse/bin/listen",
    );
    expect(await bed.set(target)).toMatchObject({ ok: true });
    await works(bed);
  },
  "changing the tools": async (bed, target) => {
    await bring(bed);
    expect(await bed.set(target)).toMatchObject({ ok: true });
    for (const path of ["bin/sshd", "run/0/authorized_keys", "run/0/new"])
      expect(await inside(bed, `echo x >/dev/.guesthouse/${path}`)).toContain(
        "Read-only file system",
      );
    await works(bed);
  },
  "mounts on the tools, with the right to mount": async (bed, target) => {
    await bring(
      bed,
      ...["--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"],
    );
    expect(await bed.set(target)).toMatchObject({ ok: true });
    const mounted = await inside(
      bed,
      "mount -t tmpfs bad /dev/.guesthouse/bin && echo mounted; ls /dev/.guesthouse/bin | wc",
    );
    expect(mounted).toContain("mounted");
    // Mounts don't come back into the VM, and the next preparation covers what was done.
    expect(existsSync(join(bed.folder, "lib/tools/bin/sshd"))).toBe(true);
    await inside(bed, "umount /dev/.guesthouse/bin");
    await inside(bed, "mount -t tmpfs bad /dev/.guesthouse");
    expect(await bed.set(target)).toMatchObject({ ok: true });
    await works(bed);
  },
  "the host key": async (bed, target) => {
    await bring(bed);
    expect(await bed.set(target)).toMatchObject({ ok: true });
    const refusal = "0000000105";
    const lock = [22, 0, 0, 0, 1, 120];
    const signSomething = [13, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    for (const request of [[19], lock, signSomething])
      expect(await askAgent(bed, request)).toBe(refusal);
    expect(await askAgent(bed, [11])).toMatch(/^[0-9a-f]{8}0c00000001/);
    expect(await inside(bed, "cat /dev/.guesthouse/run/0/host_key*")).toMatch(
      /^ssh-ed25519 \S+.*\n$/,
    );
    await works(bed);
  },
  "being the listener": async (bed, target) => {
    await bring(bed);
    expect(await bed.set(target)).toMatchObject({ ok: true });
    // As fast as a shell can, against the next preparation's socket.
    await inside(
      bed,
      "(while :; do /dev/.guesthouse/bin/listen /dev/.guesthouse/run/0; done) >/dev/null 2>&1 &",
    );
    const answer = await bed.set(target);
    expect(answer).toMatchObject({ ok: true });
    const top = await bed.engine.docker("top", "bad", "-eo", "pid,args");
    const pid = String(answer["pid"]);
    expect(top).toMatch(new RegExp(`^\\s*${pid} .*bin/listen`, "m"));
    await works(bed);
  },
  "a listener that is stopped": async (bed, target) => {
    await bring(bed);
    expect(await bed.set(target)).toMatchObject({ ok: true });
    await inside(bed, "pkill -9 listen; true");
    await works(bed);
  },
  "the VM's network, by the server's own descriptors": async (bed, target) => {
    await bring(bed);
    expect(await bed.set(target)).toMatchObject({ ok: true });
    const session = bed.ssh(["landing", "sleep 5"]);
    const [ofLandd, ofTheVm] = await Promise.all([
      networkOf(String(bed.landd)),
      networkOf("self"),
    ]);
    expect(ofLandd).not.toBe(ofTheVm);
    await eventually(async () => {
      const held = await networksOf(bed, "sshd");
      expect(held).toContain(ofLandd);
      expect(held).not.toContain(ofTheVm);
    });
    await session;
  },
  "what its sessions may do": async (bed, target) => {
    await bring(bed, "--cap-drop=ALL", "--security-opt", "no-new-privileges");
    expect(await bed.set(target)).toMatchObject({ ok: true });
    const ask =
      "while read -r n v; do case $n in CapEff:|NoNewPrivs:|Seccomp:) echo $n $v;; esac; done </proc/self/status";
    const own = await inside(bed, ask);
    const done = await bed.ssh(["landing", ask]);
    expect(done.stdout).toBe(own);
    expect(own).toContain("CapEff: 0000000000000000");
    expect(own).toContain("NoNewPrivs: 1");
    expect(own).toContain("Seccomp: 2");
  },
  "a target that isn't one": async (bed, target) => {
    await bring(bed);
    for (const wrong of [
      { container: "../bad" },
      { uid: -1 },
      { user: "a:b" },
      { home: "relative" },
      { environment: { "A=B": "c" } },
    ])
      expect(await bed.set({ ...target, ...wrong })).toMatchObject({
        ok: false,
        message: `The landing's target has no valid “${Object.keys(wrong)[0] ?? ""}”.`,
      });
    expect(await bed.set(target)).toMatchObject({ ok: true });
    await eventually(() => works(bed));
  },
};
