/*
 * Serves a folder of the host to the file system of one guest, over one connection. Owns the files that the guest has open
 * and the folders that are watched for it, until `close`. Keeps true: what isn't a frame ends the connection before any of
 * it is done; with a read-only share nothing is changed, whatever the guest sends. Called by mountShare.ts.
 */
import type { FileHandle } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { constants } from "node:fs";
import {
  type Attributes,
  type Frame,
  FrameReader,
  packFrame,
  type RequestOf,
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
  /** The guest sent what isn't a frame (`BadFrame`), or the stream broke. Nothing more is taken from it. */
  readonly onBroken: (error: unknown) => void;
}

type FileRequest = Exclude<ShareRequest, RequestOf<"hello">>;

interface Answer {
  readonly fields: object;
  readonly payload?: Buffer;
}

const { O_WRONLY, O_RDWR, O_TRUNC, O_APPEND, O_EXCL } = constants;
/** What a guest may ask for at an open. */
const openFlags = O_WRONLY | O_RDWR | O_TRUNC | O_APPEND | O_EXCL;
/** Of renameat2(2). */
const RENAME_NOREPLACE = 1;
/** No set-user-id bits. */
const permissions = 0o777;

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
  const take = (chunk: Buffer): void => {
    try {
      // All of a chunk is checked before any of it is done.
      for (const frame of reader.take(chunk)) server.take(frame);
    } catch (error) {
      // What comes behind it can't be told apart from garbage.
      input.off("data", take);
      input.resume();
      void server.close();
      options.onBroken(error);
    }
  };
  input.on("data", take);
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
    if (this.#closed) return;
    if (fields.o === "hello") this.#options.onHello();
    else void this.#answer(fields, payload);
  }

  async #answer(request: FileRequest, payload: Buffer): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#perform(request, payload);
    } catch (error) {
      answer = { fields: { e: errnoOf(error) } };
    }
    if ("i" in request && request.i !== undefined)
      this.#send({ i: request.i, ...answer.fields }, answer.payload);
  }

  #send(fields: object, payload?: Buffer): void {
    if (!this.#closed) this.#output.write(packFrame(fields, payload));
  }

  async #perform(request: FileRequest, payload: Buffer): Promise<Answer> {
    const host = this.#host;
    switch (request.o) {
      case "list":
        return this.#list(request.p);
      case "stat":
        return { fields: { a: await this.#stat(request) } };
      case "open":
        return this.#open(request);
      case "create":
        return this.#changing([request.p], () => this.#create(request));
      case "read":
        return this.#read(request);
      case "write":
        return this.#changing([this.#files.pathOf(request.h)], () =>
          this.#write(request, payload),
        );
      case "close":
        await this.#files.drop(request.h);
        return { fields: {} };
      case "sync":
        await (await this.#files.get(request.h)).sync();
        return { fields: {} };
      case "set":
        return this.#changing([request.p], () => this.#set(request));
      case "mkdir": {
        const { p, m } = request;
        return this.#changing([p], () => host.mkdir(p, m & permissions));
      }
      case "symlink": {
        const { p, t } = request;
        return this.#changing([p], () => host.symlink(p, t));
      }
      case "link": {
        const { p, t } = request;
        return this.#changing([t, p], () => host.link(t, p));
      }
      case "unlink":
        return this.#removing(request.p, () => host.unlink(request.p));
      case "rmdir":
        return this.#removing(request.p, () => host.rmdir(request.p));
      case "rename":
        return this.#rename(request);
      case "readlink":
        return { fields: { l: await host.readlink(request.p) } };
      case "statfs":
        return { fields: { f: await host.space() } };
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

  async #stat({ p = "", h }: RequestOf<"stat">): Promise<Attributes> {
    return h === undefined
      ? this.#host.stat(p)
      : this.#attributes(await this.#files.get(h));
  }

  async #attributes(file: FileHandle): Promise<Attributes> {
    return this.#host.attributes(await file.stat({ bigint: true }));
  }

  #open({ p, h, f }: RequestOf<"open">): Promise<Answer> {
    const flags = f & openFlags;
    const begin = async (): Promise<Attributes> =>
      this.#attributes(
        await this.#files.keep(h, p, () => this.#host.openFile(p, flags)),
      );
    if ((flags & (O_WRONLY | O_RDWR | O_TRUNC)) !== 0) this.#demandWritable();
    return (flags & O_TRUNC) === 0
      ? begin().then((a) => ({ fields: { a } }))
      : this.#changing([p], begin);
  }

  async #create({ p, h, m, f }: RequestOf<"create">): Promise<Attributes> {
    const make = (): Promise<FileHandle> =>
      this.#host.createFile(p, f & openFlags, m & permissions);
    if (h !== undefined)
      return this.#attributes(await this.#files.keep(h, p, make));
    const file = await make();
    try {
      return await this.#attributes(file);
    } finally {
      await file.close();
    }
  }

  #rename({ p, t, f }: RequestOf<"rename">): Promise<Answer> {
    const replace = (f & RENAME_NOREPLACE) === 0;
    return this.#changing([p, t], async () => {
      const moved = await this.#host.rename(p, t, { replace });
      this.#watched.told(p, undefined);
      for (const path of [p, t]) this.#watched.forget(path);
      this.#files.moved(p, t);
      return moved;
    });
  }

  async #read({ h, s, c }: RequestOf<"read">): Promise<Answer> {
    const file = await this.#files.get(h);
    const buffer = Buffer.alloc(c);
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
    { h, s }: RequestOf<"write">,
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

  async #set({ p, h, m, s, at, mt }: RequestOf<"set">): Promise<Attributes> {
    if (m !== undefined) await this.#host.chmod(p, m & permissions);
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
