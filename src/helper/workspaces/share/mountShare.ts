import { createHash } from "node:crypto";
import { promiseWithResolvers } from "../../../base/deadline.ts";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import type { SshSession } from "../../ssh/session.ts";
import { asRoot, script } from "../guest/guestScripts.ts";
import { BadFrame } from "./frames.ts";
import { bootstrap } from "./program.ts";
import { serveShare } from "./serveShare.ts";

/** A folder of the host, and where it is mounted in a guest. */
export interface ShareSpec {
  readonly folder: string;
  /** Absolute; made when missing. */
  readonly target: string;
  readonly readonly: boolean;
}

export interface MountedShare {
  /** Resolves when the connection has ended, whoever ended it. Rejects with `workspaces.shareFailed` if the guest sent garbage. */
  readonly ended: Promise<void>;
  /** Ends the connection. The mount stays and waits for the next one. */
  close(): Promise<void>;
}

/** Folder of the guest's where its file systems wait for another connection. */
const stateFolder = "/run/guesthouse-share";

/** Looks at nothing in the folder: a mount that is there answers when it is connected. Ends with the program's end. */
const mountScript = `${asRoot}
command -v python3 > /dev/null || { echo "it has no python3" >&2; exit 3; }
as_root python3 -I -c "$1" "$2" "$3" "$(id -u)" "$(id -g)"`;

/**
 * Mounts a folder of the host in the guest of this session, or connects the mount that is there with this process. `program`
 * is what `readShareProgram` reads. Throws `workspaces.shareFailed`.
 */
export async function mountShare(
  session: SshSession,
  { folder, target, readonly }: ShareSpec,
  program: Buffer,
  signal?: AbortSignal,
): Promise<MountedShare> {
  const key = createHash("sha256")
    .update(program)
    .update(target)
    .digest("hex")
    .slice(0, 16);
  const settings = JSON.stringify({
    target,
    readonly,
    key,
    state: stateFolder,
  });
  const command = await session.start(
    script(mountScript, [...[bootstrap, String(program.length), settings]]),
    signal,
  );
  const hello = promiseWithResolvers<void>();
  let garbage: BadFrame | undefined;
  const ended = command.ended.then(
    ({ code, stderr }) => {
      const why = stderr.trim() || `exit code ${String(code)}`;
      hello.reject(shareFailed(target, garbage?.message ?? why));
    },
    (error: unknown) => {
      hello.reject(
        garbage === undefined ? error : shareFailed(target, garbage.message),
      );
    },
  );
  try {
    const server = await serveShare(command.stdout, command.stdin, {
      folder,
      readonly,
      onHello: hello.resolve,
      onBroken: (error) => {
        if (error instanceof BadFrame) garbage = error;
        command.stop();
      },
    });
    const closing = ended
      .then(() => {
        if (garbage !== undefined) throw shareFailed(target, garbage.message);
      })
      .finally(() => server.close());
    // Whoever waits for it may do so later.
    closing.catch(() => undefined);
    command.stdin.write(program);
    await hello.promise;
    return {
      ended: closing,
      close: async () => {
        command.stop();
        await server.close();
      },
    };
  } catch (error) {
    command.stop();
    throw error;
  }
}

const shareFailed = (target: string, why: string): GuesthouseError =>
  failed(
    "workspaces.shareFailed",
    `The folder could not be mounted at ${target} in the guest: ${why}.`,
    {
      remedy:
        "The guest needs Linux with FUSE and Python 3, and its user sudo. Bring the folder up again, or with --files copy after `guesthouse down --delete`.",
      actions: ["retry", "showLog"],
    },
  );
