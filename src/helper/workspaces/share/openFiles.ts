/*
 * The files that a guest has open, by the numbers that it gave them. Owns their handles on this host until `close`. Keeps
 * true: there are never more than `maxOpen`, and a request behind an open finds the file. After a broken connection the
 * guest opens its files again. Called by serveShare.ts.
 */
import type { FileHandle } from "node:fs/promises";
import { errnos, FileError } from "./hostFolder.ts";

interface OpenFile {
  path: string;
  readonly file: Promise<FileHandle>;
}

/** Each is one that this process holds open. */
const maxOpen = 2_048;

export class OpenFiles {
  readonly #files = new Map<number, OpenFile>();

  async keep(
    handle: number,
    path: string,
    opening: () => Promise<FileHandle>,
  ): Promise<FileHandle> {
    if (this.#files.size >= maxOpen) throw new FileError(errnos.tooManyOpen);
    if (this.#files.has(handle)) throw new FileError(errnos.invalid);
    const file = opening();
    // At once, so that a request behind this one finds it.
    this.#files.set(handle, { path, file });
    try {
      return await file;
    } catch (error) {
      this.#files.delete(handle);
      throw error;
    }
  }

  pathOf(handle: number): string {
    return this.#find(handle).path;
  }

  get(handle: number): Promise<FileHandle> {
    return this.#find(handle).file;
  }

  async drop(handle: number): Promise<void> {
    const open = this.#files.get(handle);
    this.#files.delete(handle);
    await (await open?.file.catch(() => undefined))?.close();
  }

  /** What lay at `from`, or below it, is at `to` now. */
  moved(from: string, to: string): void {
    for (const open of this.#files.values())
      if (open.path === from || open.path.startsWith(`${from}/`))
        open.path = `${to}${open.path.slice(from.length)}`;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.keys()].map((each) => this.drop(each)));
  }

  #find(handle: number): OpenFile {
    const open = this.#files.get(handle);
    if (open === undefined) throw new FileError(errnos.badHandle);
    return open;
  }
}
