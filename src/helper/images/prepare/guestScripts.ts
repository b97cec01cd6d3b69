import { abortAfter } from "../../../base/deadline.ts";
import { createWriteStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { failed } from "../../../protocol/failure.ts";
import { shellCommand } from "../../ssh/quote.ts";
import type { SshSession } from "../../ssh/session.ts";
import type { LayerName } from "../build/layers.ts";
import { type ImageFacts, readImageFacts } from "../disks/facts.ts";
import { packLayer } from "./packLayer.ts";

/** For what a slow, emulated guest needs for packages. */
const stepTimeoutMs = 45 * 60_000;

/** Our scripts in the guest, run as root. */
export interface GuestScripts {
  /** Answers with standard output. */
  readonly prepare: (
    args: readonly string[],
    signal: AbortSignal,
  ) => Promise<string>;
  /** Runs a POSIX script with its arguments. */
  readonly script: (
    text: string,
    args: readonly string[],
    signal: AbortSignal,
  ) => Promise<string>;
  /** Installs a layer of `resources/guest`: its packages, files and programs. One that isn't there adds nothing. */
  readonly layer: (name: LayerName, signal: AbortSignal) => Promise<void>;
  readonly facts: (signal: AbortSignal) => Promise<ImageFacts>;
  /** Copies a file that only root may read. */
  readonly fetch: (
    remote: string,
    local: string,
    signal: AbortSignal,
  ) => Promise<void>;
}

export async function guestScripts(
  { session, user }: { readonly session: SshSession; readonly user: string },
  resources: string,
  signal: AbortSignal,
): Promise<GuestScripts> {
  const paths = {
    prepare: "/tmp/guesthouse-prepare.sh",
    facts: "/tmp/guesthouse-facts.sh",
    handoff: "/tmp/guesthouse-handoff",
  };
  const upload = async (name: string, path: string): Promise<unknown> =>
    run(
      session,
      `cat >${path}`,
      signal,
      await readFile(join(resources, "guest", name)),
    );
  await upload("prepare.sh", paths.prepare);
  await upload("image-facts.sh", paths.facts);
  await run(session, `mkdir -p ${paths.handoff}`, signal);
  for (const name of await readdir(join(resources, "guest", "handoff")))
    await upload(`handoff/${name}`, `${paths.handoff}/${name}`);
  const asRoot = user === "root" ? [] : await rootPrefix(session, signal);
  const root = (argv: readonly string[]): string =>
    shellCommand([...asRoot, ...argv]);
  return {
    prepare: (args, within) =>
      run(session, root(["sh", paths.prepare, ...args]), within),
    script: (text, args, within) =>
      run(
        session,
        root(["sh", "-s", "--", ...args]),
        within,
        Buffer.from(text),
      ),
    layer: async (name, within) => {
      const archive = await packLayer(
        {
          resources: join(resources, "guest"),
          compiled: join(resources, "..", "dist"),
        },
        name,
      );
      if (archive === undefined) return;
      const folder = "/tmp/guesthouse-layers";
      await run(
        session,
        shellCommand([
          "sh",
          "-c",
          `mkdir -p ${folder} && tar -xf - -C ${folder}`,
        ]),
        within,
        archive,
      );
      await run(
        session,
        root(["sh", paths.prepare, "layer", `${folder}/${name}`]),
        within,
      );
    },
    facts: async (within) =>
      readImageFacts(
        await run(session, root(["sh", paths.facts, "/"]), within),
      ),
    fetch: async (remote, local, within) => {
      const command = await session.start(root(["cat", remote]), within);
      command.stdin.end();
      const [{ code, stderr }] = await Promise.all([
        command.ended,
        pipeline(command.stdout, createWriteStream(local, { mode: 0o600 })),
      ]);
      if (code !== 0) throw stepFailed(`cat ${remote}`, code, stderr);
    },
  };
}

async function rootPrefix(
  session: SshSession,
  signal: AbortSignal,
): Promise<string[]> {
  for (const program of ["sudo", "doas"]) {
    const { code } = await session.exec(`${program} -n true`, {}, signal);
    if (code === 0) return [program, "-n"];
  }
  throw failed(
    "images.invalid",
    "The image's user can't become root: it has neither sudo nor doas.",
    { remedy: "Install sudo in the image and import it again." },
  );
}

async function run(
  session: SshSession,
  command: string,
  signal: AbortSignal,
  stdin?: Uint8Array,
): Promise<string> {
  const within = abortAfter(stepTimeoutMs, signal);
  const { code, stdout, stderr } = await session.exec(
    command,
    stdin === undefined ? {} : { stdin },
    within,
  );
  if (code === 0) return stdout;
  throw stepFailed(command, code, stderr);
}

const stepFailed = (command: string, code: number, stderr: string): unknown =>
  failed(
    "images.invalid",
    `Setting up the image failed (${command}, code ${String(code)}): ${lastLines(stderr)}`,
    {
      remedy:
        "Check that the guest can reach its package mirror, or install qemu-guest-agent, cloud-init and openssh-server in the image yourself.",
      actions: ["showLog", "retry"],
    },
  );

const lastLines = (text: string): string =>
  text.trim().split("\n").slice(-3).join(" · ");
