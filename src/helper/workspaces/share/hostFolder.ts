/*
 * A folder of this (Linux) host as a guest may use it. Owns the open root folder. Keeps true: whatever the guest puts in
 * the folder or asks for, nothing outside is reached. No symbolic link is ever followed: a folder on the way counts only if
 * the kernel says of the opened one that it is where its path says, and from then on it is used by that handle. Called by
 * serveShare.ts with paths that the frames' schema has let through, and checks them again.
 */
import type { BigIntStats } from "node:fs";
import { constants } from "node:fs";
import {
  type FileHandle,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  statfs,
  symlink,
  chmod,
  unlink,
} from "node:fs/promises";
import { type Attributes, isPath } from "./frames.ts";

/** The one kind of error that a guest is told of, by its number on Linux. */
export class FileError extends Error {
  readonly errno: number;
  constructor(errno: number) {
    super(`errno ${String(errno)}`);
    this.errno = errno;
  }
}

export const errnos = {
  notFound: 2,
  io: 5,
  badHandle: 9,
  access: 13,
  exists: 17,
  invalid: 22,
  tooManyOpen: 24,
  readOnly: 30,
  loop: 40,
} as const;

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_CREAT, O_EXCL } = constants;
/** Not in Node's table; the same on every architecture of ours. */
const O_PATH = 0o10000000;
const O_RDONLY = 0;

/** Where the kernel shows an open folder or file as a path that can't be led elsewhere. */
const inProc = ({ fd }: FileHandle): string => `/proc/self/fd/${String(fd)}`;
const below = (folder: FileHandle, name: string): Buffer =>
  Buffer.from(`${inProc(folder)}/${name}`, "latin1");

/** Paths are the guest's: relative, a character a byte. Throws `FileError`, and Node's errors with an `errno`. */
export class HostFolder {
  readonly #root: FileHandle;
  readonly #path: Buffer;
  readonly #device: bigint;

  private constructor(root: FileHandle, path: Buffer, device: bigint) {
    this.#root = root;
    this.#path = path;
    this.#device = device;
  }

  static async open(folder: string): Promise<HostFolder> {
    const root = await open(folder, O_PATH | O_DIRECTORY);
    const path = await readlink(inProc(root), { encoding: "buffer" });
    const { dev } = await root.stat({ bigint: true });
    return new HostFolder(root, path, dev);
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  /** Opens a folder, without following anything. */
  async #open(path: string, flags: number): Promise<FileHandle> {
    namesOf(path);
    const place = path === "" ? inProc(this.#root) : below(this.#root, path);
    const folder = await open(
      place,
      // Of the root itself the last component is the link in /proc.
      flags | O_DIRECTORY | (path === "" ? 0 : O_NOFOLLOW),
    );
    try {
      const real = await readlink(inProc(folder), { encoding: "buffer" });
      const expected =
        path === ""
          ? this.#path
          : Buffer.concat([this.#path, Buffer.from(`/${path}`, "latin1")]);
      if (!real.equals(expected)) throw new FileError(errnos.loop);
      return folder;
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  /** Lends the folder that holds the path's last name, and that name below it. */
  async #at<T>(
    path: string,
    work: (place: Buffer, parent: FileHandle) => Promise<T>,
  ): Promise<T> {
    const end = path.lastIndexOf("/");
    const name = path.slice(end + 1);
    namesOf(name);
    if (name === "") throw new FileError(errnos.invalid);
    const parent = await this.#open(path.slice(0, Math.max(0, end)), O_PATH);
    try {
      return await work(below(parent, name), parent);
    } finally {
      await parent.close();
    }
  }

  async #stat(place: Buffer | string): Promise<Attributes> {
    return this.attributes(await lstat(place, { bigint: true }));
  }

  attributes(stats: BigIntStats): Attributes {
    const { ino, dev } = stats;
    // What is mounted in the folder has numbers of its own.
    const number = dev === this.#device ? ino : ino * 31n + dev * 0x9e3779b9n;
    return [
      Number(stats.mode),
      Number(stats.size),
      Number(BigInt.asUintN(53, number)),
      Number(stats.nlink),
      ...timeOf(stats.mtimeNs),
      ...timeOf(stats.ctimeNs),
      ...timeOf(stats.atimeNs),
      Number(stats.blocks),
      Number(BigInt.asUintN(53, stats.birthtimeNs)),
    ];
  }

  async stat(path: string): Promise<Attributes> {
    if (path === "")
      return this.attributes(await this.#root.stat({ bigint: true }));
    return this.#at(path, (place) => this.#stat(place));
  }

  /** What is in a folder. `before` gets the folder as a path, before anything of it is read. */
  async list(
    path: string,
    before: (place: string) => void,
  ): Promise<{ self: Attributes; entries: [string, Attributes][] }> {
    const folder = await this.#open(path, O_RDONLY);
    try {
      before(inProc(folder));
      const self = this.attributes(await folder.stat({ bigint: true }));
      const names = await readdir(inProc(folder), { encoding: "buffer" });
      const entries: [string, Attributes][] = [];
      const batch = 128;
      for (let i = 0; i < names.length; i += batch)
        await Promise.all(
          names.slice(i, i + batch).map(async (raw) => {
            const name = raw.toString("latin1");
            // It may be gone by now.
            const found = await this.#stat(below(folder, name)).catch(
              () => undefined,
            );
            if (found !== undefined) entries.push([name, found]);
          }),
        );
      return { self, entries };
    } finally {
      await folder.close();
    }
  }

  readlink(path: string): Promise<string> {
    return this.#at(path, async (place) =>
      (await readlink(place, { encoding: "buffer" })).toString("latin1"),
    );
  }

  /** Opens a file as it is there: no device, pipe or socket, which would wait or act. */
  openFile(path: string, flags: number): Promise<FileHandle> {
    return this.#pinned(path, async (place, file) => {
      if (!(await file.stat()).isFile()) throw new FileError(errnos.access);
      return open(place, flags);
    });
  }

  /** Lends what a path names as a handle and a path that stays with it, also of a symbolic link. */
  #pinned<T>(
    path: string,
    work: (place: string, file: FileHandle) => Promise<T>,
  ): Promise<T> {
    return this.#at(path, async (place) => {
      const file = await open(place, O_PATH | O_NOFOLLOW);
      try {
        return await work(inProc(file), file);
      } finally {
        await file.close();
      }
    });
  }

  createFile(path: string, flags: number, mode: number): Promise<FileHandle> {
    return this.#at(path, async (place) => {
      const file = await open(
        place,
        flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK,
        mode,
      );
      try {
        if (!(await file.stat()).isFile()) throw new FileError(errnos.access);
        // The guest has applied its own umask.
        if ((flags & O_EXCL) !== 0) await file.chmod(mode);
        return file;
      } catch (error) {
        await file.close();
        throw error;
      }
    });
  }

  mkdir(path: string, mode: number): Promise<Attributes> {
    return this.#at(path, async (place) => {
      await mkdir(place, { mode });
      return this.#stat(place);
    });
  }

  symlink(path: string, target: string): Promise<Attributes> {
    return this.#at(path, async (place) => {
      await symlink(Buffer.from(target, "latin1"), place);
      return this.#stat(place);
    });
  }

  link(existing: string, path: string): Promise<Attributes> {
    return this.#at(existing, (from) =>
      this.#at(path, async (place) => {
        await link(from, place);
        return this.#stat(place);
      }),
    );
  }

  unlink(path: string): Promise<void> {
    return this.#at(path, (place) => unlink(place));
  }

  rmdir(path: string): Promise<void> {
    return this.#at(path, (place) => rmdir(place));
  }

  rename(
    from: string,
    to: string,
    { replace }: { readonly replace: boolean },
  ): Promise<Attributes> {
    return this.#at(from, (source) =>
      this.#at(to, async (target) => {
        if (!replace && (await exists(target)))
          throw new FileError(errnos.exists);
        await rename(source, target);
        return this.#stat(target);
      }),
    );
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.#pinned(path, async (place, file) => {
      if ((await file.stat()).isSymbolicLink())
        throw new FileError(errnos.invalid);
      await chmod(place, mode);
    });
  }

  /** Times in seconds; what is missing stays as it is. */
  async setTimes(path: string, atime?: number, mtime?: number): Promise<void> {
    await this.#at(path, async (place) => {
      const now = await lstat(place);
      await lutimes(
        place,
        atime ?? now.atimeMs / 1000,
        mtime ?? now.mtimeMs / 1000,
      );
    });
  }

  /** Blocks, free ones, those for ordinary users, files, free ones, a block's size. */
  async space(): Promise<number[]> {
    const { blocks, bfree, bavail, files, ffree, bsize } = await statfs(
      inProc(this.#root),
    );
    return [blocks, bfree, bavail, files, ffree, bsize];
  }
}

/** The names in a path. Refuses with EINVAL what is no name. Pure. */
export function namesOf(path: string): string[] {
  if (!isPath(path)) throw new FileError(errnos.invalid);
  return path === "" ? [] : path.split("/");
}

const exists = (place: Buffer): Promise<boolean> =>
  lstat(place).then(
    () => true,
    () => false,
  );

const second = 1_000_000_000n;
const timeOf = (ns: bigint): [number, number] => [
  Number(ns / second),
  Number(ns % second),
];
