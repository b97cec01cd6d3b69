import { readFile } from "node:fs/promises";
import type { SshTarget } from "../../ssh/target.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";

/** Where the forwarded ports of guests are. */
export const guestHost = "127.0.0.1";

/** What logs in to a machine's guest by SSH. `port`: of its running QEMU (`MachineHandles.sshPort`). */
export const sshTarget = async (
  { ssh }: Pick<Layout, "ssh">,
  record: Pick<MachineRecord, "user" | "hostPublicKey" | "os">,
  port: number,
): Promise<SshTarget> => ({
  host: guestHost,
  port,
  user: record.user,
  privateKey: await readFile(ssh.identity, "utf8"),
  hostKey: record.hostPublicKey,
  isPosix: record.os === "linux",
});
