import type { FileHandle } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { constants } from "node:fs";
import {
  type Attributes,
  type Frame,
  FrameReader,
  packFrame,
  type ShareRequest,
} from "./frames.ts";
import { errnos, FileError, HostFolder } from "./hostFolder.ts";
import { OpenFiles } from "./openFiles.ts";
import { WatchedFolders } from "./watchedFolders.ts";

export interface ShareOptions {
  /** Of the host. */
  readonly folder: string;
  readonly readonly: boolean;
  /** The guest's file system is there and speaks. */
  readonly onHello: () => void;
  /** The guest sent what can't be understood, or the stream broke. */
  readonly onBroken: (error: unknown) => void;
}

interface Answer {
  readonly fields: object;
  readonly payload?: Buffer;
}

const maxReadBytes = 1024 * 1024;
const { O_WRONLY, O_RDWR, O_TRUNC, O_APPEND, O_EXCL } = constants;
/** What a guest may ask for at an open. */
const openFlags = O_WRONLY | O_RDWR | O_TRUNC | O_APPEND | O_EXCL;

/**
 * Serves a folder of the host to the file system of a guest that speaks on these streams, until `close`. Requests are
 * answered as they get done, whatever their order; each error becomes its number on Linux.
 */
export async function serveShare(
  input: Readable,
  output: Writable,
  options: ShareOptions,
): Promise<ShareServer> {
  const host = await HostFolder.open(options.folder);
  const server = new ShareServer(host, output, options);
  const reader = new FrameReader();
  input.on("data", (chunk: Buffer) => {
    try {
      for (const frame of reader.take(chunk)) server.take(frame);
    } catch (error) {
      options.onBroken(error);
    }
  });
  for (const end of [input, output]) end.on("error", options.onBroken);
  return server;
}

export class ShareServer {
  readonly #host: HostFolder;
  readonly #output: Writable;
  readonly #options: ShareOptions;
  readonly #files = new OpenFiles();
  readonly #watched: WatchedFolders;
  #closed = false;

  constructor(host: HostFolder, output: Writable, options: ShareOptions) {
    this.#host = host;
    this.#output = output;
    this.#options = options;
    this.#watched = new WatchedFolders(
      (path) => host.stat(path).catch(() => undefined),
      (changes) => this.#send({ n: changes }),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#watched.close();
    await this.#files.close();
    await this.#host.close();
  }

  take({ fields, payload }: Frame): void {
    if (fields.o === "hello") this.#options.onHello();
    else void this.#answer(fields, payload);
  }

  async #answer(request: ShareRequest, payload: Buffer): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#perform(request, payload);
    } catch (error) {
      answer = { fields: { e: errnoOf(error) } };
    }
    const { i } = request;
    if (i !== undefined) this.#send({ i, ...answer.fields }, answer.payload);
  }

  #send(fields: object, payload?: Buffer): void {
    if (!this.#closed) this.#output.write(packFrame(fields, payload));
  }

  async #perform(request: ShareRequest, payload: Buffer): Promise<Answer> {
    const host = this.#host;
    const { p = "", t = "", h, m = 0, f = 0 } = request;
    switch (request.o) {
      case "list":
        return this.#list(p);
      case "stat":
        return {
          fields: {
            a: h === undefined ? await host.stat(p) : await this.#statOpen(h),
          },
        };
      case "open":
        return this.#open(p, h ?? -1, f & openFlags);
      case "create":
        return this.#changing([p], () => this.#create(p, h, f & openFlags, m));
      case "read":
        return this.#read(request);
      case "write":
        return this.#changing([this.#files.pathOf(h)], () =>
          this.#write(request, payload),
        );
      case "close":
        await this.#files.drop(h);
        return { fields: {} };
      case "sync":
        await (await this.#files.get(h)).sync();
        return { fields: {} };
      case "set":
        return this.#changing([p], () => this.#set(request));
      case "mkdir":
        return this.#changing([p], () => host.mkdir(p, m & 0o777));
      case "symlink":
        return this.#changing([p], () => host.symlink(p, t));
      case "link":
        return this.#changing([t, p], () => host.link(t, p));
      case "unlink":
        return this.#removing(p, () => host.unlink(p));
      case "rmdir":
        return this.#removing(p, () => host.rmdir(p));
      case "rename":
        return this.#changing([p, t], async () => {
          const moved = await host.rename(p, t, { replace: (f & 1) === 0 });
          this.#watched.told(p, undefined);
          for (const path of [p, t]) this.#watched.forget(path);
          this.#files.moved(p, t);
          return moved;
        });
      case "readlink":
        return { fields: { l: await host.readlink(p) } };
      case "statfs":
        return { fields: { f: await host.space() } };
      default:
        throw new FileError(errnos.invalid);
    }
  }

  /** What the guest changes: told in the answer, and by that no news to it. The last path is what the answer is of. */
  #changing(
    paths: readonly string[],
    work: () => Promise<Attributes>,
  ): Promise<Answer> {
    this.#demandWritable();
    return this.#watched.while(paths, async () => {
      const a = await work();
      this.#watched.told(paths.at(-1) ?? "", a);
      return { fields: { a } };
    });
  }

  #removing(path: string, work: () => Promise<void>): Promise<Answer> {
    this.#demandWritable();
    return this.#watched.while([path], async () => {
      await work();
      this.#watched.told(path, undefined);
      this.#watched.forget(path);
      return { fields: {} };
    });
  }

  /** The guest's file system refuses, too; but a guest says what its root likes. */
  #demandWritable(): void {
    if (this.#options.readonly) throw new FileError(errnos.readOnly);
  }

  async #list(path: string): Promise<Answer> {
    let begun = -1;
    const { self, entries } = await this.#host.list(path, (system) => {
      begun = this.#watched.begin(path, system);
    });
    const w = this.#watched.end(path, begun, entries);
    return { fields: { a: self, w, n: entries } };
  }

  async #statOpen(handle: number): Promise<Attributes> {
    return this.#attributes(await this.#files.get(handle));
  }

  async #attributes(file: FileHandle): Promise<Attributes> {
    return this.#host.attributes(await file.stat({ bigint: true }));
  }

  #open(path: string, handle: number, flags: number): Promise<Answer> {
    const begin = async (): Promise<Attributes> =>
      this.#attributes(
        await this.#files.keep(handle, path, () =>
          this.#host.openFile(path, flags),
        ),
      );
    if ((flags & (O_WRONLY | O_RDWR | O_TRUNC)) !== 0) this.#demandWritable();
    return (flags & O_TRUNC) === 0
      ? begin().then((a) => ({ fields: { a } }))
      : this.#changing([path], begin);
  }

  async #create(
    path: string,
    handle: number | undefined,
    flags: number,
    mode: number,
  ): Promise<Attributes> {
    const make = (): Promise<FileHandle> =>
      this.#host.createFile(path, flags, mode & 0o777);
    if (handle !== undefined)
      return this.#attributes(await this.#files.keep(handle, path, make));
    const file = await make();
    try {
      return await this.#attributes(file);
    } finally {
      await file.close();
    }
  }

  async #read({ h, s = 0, c = 0 }: ShareRequest): Promise<Answer> {
    const file = await this.#files.get(h);
    const buffer = Buffer.alloc(Math.min(c, maxReadBytes));
    let bytes = 0;
    // A short answer would be the end of the file for the guest.
    while (bytes < buffer.length) {
      const left = buffer.length - bytes;
      const { bytesRead } = await file.read(buffer, bytes, left, s + bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
    }
    return { fields: {}, payload: buffer.subarray(0, bytes) };
  }

  async #write(
    { h, s = 0 }: ShareRequest,
    payload: Buffer,
  ): Promise<Attributes> {
    const file = await this.#files.get(h);
    let bytes = 0;
    while (bytes < payload.length) {
      const left = payload.length - bytes;
      bytes += (await file.write(payload, bytes, left, s + bytes)).bytesWritten;
    }
    return this.#attributes(file);
  }

  async #set({ p = "", h, m, s, at, mt }: ShareRequest): Promise<Attributes> {
    if (m !== undefined) await this.#host.chmod(p, m & 0o777);
    if (s !== undefined)
      if (h !== undefined) await (await this.#files.get(h)).truncate(s);
      else {
        const file = await this.#host.openFile(p, O_WRONLY);
        await file.truncate(s).finally(() => file.close());
      }
    if (at !== undefined || mt !== undefined)
      await this.#host.setTimes(p, secondsOf(at), secondsOf(mt));
    return this.#host.stat(p);
  }
}

const secondsOf = (
  time: readonly [number, number] | undefined,
): number | undefined =>
  time === undefined ? undefined : time[0] + time[1] / 1e9;

/** Node has the system's number, negative; a guest's Linux has the same ones. */
function errnoOf(error: unknown): number {
  if (error instanceof FileError) return error.errno;
  if (error instanceof Error && "errno" in error) {
    const { errno } = error;
    if (typeof errno === "number" && errno !== 0) return Math.abs(errno);
  }
  return errnos.io;
}
