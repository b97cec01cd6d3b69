/*
 * Repositories that were cloned for VMs, in folders of ours. A clone is made in scratch and moved when it is whole;
 * one without its record is none. One clone or fetch at a time for each URL. A clone goes with its last workspace, and stays
 * where it has commits that nobody else has. Owned by `../handlers.ts`; asked by `placeOfClone.ts`, `../down/` and `../up/`.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { readVariable } from "../../../base/environmentVariables.ts";
import { faultPoint } from "../../../base/faultPoint.ts";
import { makePrivateFolder } from "../../../base/files.ts";
import { readJson, writeJson } from "../../../base/jsonFile.ts";
import { KeyedMutex } from "../../../base/mutex.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Layout } from "../../store/layout.ts";
import { hostGit } from "../git/hostGit.ts";
import { isBranchName } from "../bringBack/hostRepository.ts";
import { gitIn, originRefs } from "./branches.ts";

const recordSchema = z.object({
  format: z.literal(1),
  url: z.string(),
  /** Of the folder beside this record. */
  name: z.string(),
});

export interface Clone {
  readonly url: string;
  /** The repository; it has no work tree, branches of it are laid out where they are needed. */
  readonly folder: string;
}

/** Repositories that were cloned for VMs, found again by their URL. */
export class Clones {
  readonly #layout: Layout;
  readonly #onText: (url: string, text: string) => void;
  /** One clone or fetch at a time for each (B19). */
  readonly #locks = new KeyedMutex();

  constructor(layout: Layout, onText: (url: string, text: string) => void) {
    this.#layout = layout;
    this.#onText = onText;
  }

  /** The clone that a workspace's folder is, if it is one. */
  async ofFolder(folder: string): Promise<Clone | undefined> {
    const parent = dirname(folder);
    if (dirname(parent) !== this.#layout.clones) return undefined;
    return this.#read(basename(parent));
  }

  async find(url: string): Promise<Clone | undefined> {
    return this.#read(idOf(url));
  }

  /**
   * Clones what is not here, else fetches what is new. Runs with the user's settings of git, for their credentials and
   * proxies, but with nothing that asks; a clone is there whole or not at all. Throws `workspaces.failed`.
   */
  obtain(url: string, signal?: AbortSignal): Promise<Clone> {
    const id = idOf(url);
    return this.#locks.run(id, async () => {
      signal?.throwIfAborted();
      const known = await this.#read(id);
      if (known !== undefined) {
        await this.#fetch(known, signal);
        return known;
      }
      await makePrivateFolder(this.#layout.work);
      const scratch = await mkdtemp(join(this.#layout.work, "clone-"));
      try {
        const name = nameOf(url);
        const folder = join(scratch, name);
        await mkdir(folder, { mode: 0o700 });
        await this.#begin({ url, folder }, signal);
        faultPoint("clone.fetched");
        const record = { format: 1, url, name };
        await writeJson(join(scratch, "clone.json"), record);
        await makePrivateFolder(this.#layout.clones);
        await this.#removeFolder(id);
        await rename(scratch, this.#layout.clone(id).folder);
        return { url, folder: join(this.#layout.clone(id).folder, name) };
      } finally {
        await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
      }
    });
  }

  /** The branch that the remote's HEAD was at when it was cloned. */
  async defaultBranch(clone: Clone, signal?: AbortSignal): Promise<string> {
    const { stdout } = await gitIn(
      clone,
      ["symbolic-ref", `${originRefs}HEAD`],
      {},
      signal,
    );
    return stdout.trim().slice(originRefs.length);
  }

  /** Branches of the clone that have commits which the remote has not, brought back from VMs. */
  async unpushed(clone: Clone, signal?: AbortSignal): Promise<string[]> {
    const { stdout } = await gitIn(
      clone,
      ["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"],
      {},
      signal,
    );
    const names = stdout.split("\n").filter((name) => name !== "");
    const found: string[] = [];
    for (const name of names) {
      const { stdout: commits } = await gitIn(
        clone,
        ["rev-list", "-n", "1", `refs/heads/${name}`, "--not", "--remotes"],
        {},
        signal,
      );
      if (commits.trim() !== "") found.push(name);
    }
    return found;
  }

  remove({ url }: Clone): Promise<void> {
    const id = idOf(url);
    return this.#locks.run(id, () => this.#removeFolder(id));
  }

  /** Takes away clones that no workspace is made of; one with commits that nobody else has stays, whatever became of its workspace. */
  async keepOnly(folders: readonly string[]): Promise<void> {
    const used = new Set(folders.map((folder) => basename(dirname(folder))));
    const all = await readdir(this.#layout.clones).catch(() => []);
    for (const id of all) {
      if (used.has(id)) continue;
      const clone = await this.#read(id);
      const kept =
        clone === undefined
          ? []
          : await this.unpushed(clone).catch(() => [clone.folder]);
      if (kept.length === 0) await this.#removeFolder(id);
    }
  }

  async #removeFolder(id: string): Promise<void> {
    const { folder, record } = this.#layout.clone(id);
    // Without its record it is none any more, however much of it is left.
    await rm(record, { force: true });
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #read(id: string): Promise<Clone | undefined> {
    const { folder, record } = this.#layout.clone(id);
    const read = await readJson(record, (value) => recordSchema.parse(value));
    if (read.kind !== "read") return undefined;
    const { url, name } = read.value;
    return { url, folder: join(folder, basename(name)) };
  }

  async #begin(clone: Clone, signal?: AbortSignal): Promise<void> {
    const own = { ignoreUserConfig: true };
    const git = (...args: string[]) => gitIn(clone, args, own, signal);
    await git("init", "-q", "--template=");
    await git("config", "--local", "remote.origin.url", clone.url);
    const refspec = `+refs/heads/*:${originRefs}*`;
    await git("config", "--local", "remote.origin.fetch", refspec);
    const { stdout } = await this.#remote(
      clone,
      ["ls-remote", "--symref", ...uploadPack(clone.url), "origin", "HEAD"],
      signal,
    );
    const head = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(stdout)?.[1];
    if (head === undefined || !(await isBranchName(clone.folder, head, signal)))
      throw refused(
        "request.invalid",
        `${visible(clone.url)} has no branch to begin with.`,
        { remedy: "Push a first commit there, then try again." },
      );
    await this.#fetch(clone, signal);
    await git("symbolic-ref", `${originRefs}HEAD`, `${originRefs}${head}`);
    await git("symbolic-ref", "HEAD", `refs/heads/${head}`);
  }

  async #fetch(clone: Clone, signal?: AbortSignal): Promise<void> {
    await this.#remote(
      clone,
      [
        ...["fetch", "--progress", "--prune", "--no-recurse-submodules"],
        ...[...uploadPack(clone.url), "origin"],
      ],
      signal,
    );
  }

  async #remote(
    clone: Clone,
    args: readonly string[],
    signal?: AbortSignal,
  ): Promise<{ readonly stdout: string }> {
    const options = {
      env: await remoteEnvironment(clone, signal),
      title: `${visible(clone.url)} can't be fetched by this computer's git`,
      remedy:
        "Check the URL, and that `git ls-remote` of it works on this computer without asking for anything.",
      onStderr: (text: string) =>
        this.#onText(clone.url, visible(lastOf(text))),
    };
    return gitIn(clone, args, options, signal);
  }
}

/** git draws its progress over and over on one line. */
const lastOf = (text: string): string =>
  text
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "")
    .at(-1) ?? "";

/**
 * Credentials come from the user's helpers and agent; nobody is there to answer a question. A remote of this computer
 * must not be made to fetch from elsewhere by its own settings.
 */
async function remoteEnvironment(
  { folder, url }: Clone,
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const isFile = url.startsWith("file:");
  const ssh = await sshCommand(folder, signal);
  return {
    GIT_ALLOW_PROTOCOL: isFile ? "file" : "https:ssh",
    GIT_ASKPASS: "",
    GCM_INTERACTIVE: "never",
    SSH_ASKPASS_REQUIRE: "never",
    GIT_SSH_COMMAND: `${ssh} -o BatchMode=yes`,
  };
}

/** The user's own ssh, where they chose one for git. */
async function sshCommand(
  folder: string,
  signal?: AbortSignal,
): Promise<string> {
  const own = readVariable("GIT_SSH_COMMAND");
  if (own !== undefined && own !== "") return own;
  const { stdout } = await hostGit(
    folder,
    ["config", "--get", "core.sshCommand"],
    { fine: [0, 1] },
    signal,
  );
  return stdout.trim() || "ssh";
}

const uploadPack = (url: string): string[] =>
  url.startsWith("file:")
    ? [
        "--upload-pack=GIT_ALLOW_PROTOCOL=none GIT_NO_LAZY_FETCH=1 git-upload-pack",
      ]
    : [];

const idOf = (url: string): string =>
  createHash("sha256")
    .update(url.replace(/\/+$/, ""))
    .digest("hex")
    .slice(0, 16);

/** What `git clone` would call the folder. Pure. */
export function nameOf(url: string): string {
  const last = url
    .replace(/[?#].*$/, "")
    .replace(/\/+$/, "")
    .replace(/\.git$/, "")
    .split(/[/:]/)
    .at(-1);
  const clean = (last ?? "").replace(/[^\p{L}\p{N}._+-]/gu, "-").slice(0, 100);
  return /^[.-]*$/.test(clean) ? "repository" : clean.replace(/^[.-]+/, "");
}

/** Refuses with `workspaces.unknown` where nothing was cloned yet. */
export const notCloned = (url: string): Error =>
  refused("workspaces.unknown", `${visible(url)} was not cloned yet.`, {
    remedy: "Run `guesthouse up` with it first.",
  });
