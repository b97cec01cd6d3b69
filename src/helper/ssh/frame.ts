/*
 * What a framed command printed, without what the login shell around it printed before and after. Reads
 * `noise MARKb\n output RS MARKe<code>\n noise`. The output is passed on as it comes, since a program may wait for an answer to
 * what it said; only what may be the second mark's beginning waits a moment for the rest.
 */
import { Transform, type TransformCallback } from "node:stream";
import { promiseWithResolvers } from "../../base/deadline.ts";

/** Of the noise, for people. */
const keptNoise = 300;
/** `MARKe` is followed by this at most. */
const longestCode = 4;
/** The second mark begins with a character (RS) that hardly any output ends in. */
export const beforeEnd = "\x1e";
/** A mark is written at once; where its rest doesn't come within this time, it was output that began like one. */
const restMs = 200;

export class Frame extends Transform {
  readonly #begin: Buffer;
  readonly #end: Buffer;
  readonly #begun = promiseWithResolvers<void>();
  readonly #code = promiseWithResolvers<number | undefined>();
  readonly #drained = promiseWithResolvers<void>();
  #state: "before" | "within" | "code" | "after" = "before";
  #rest: Buffer = Buffer.alloc(0);
  /** So much of the beginning of `#rest` has been passed on. */
  #passed = 0;
  #waiting: NodeJS.Timeout | undefined;
  #noise = "";

  constructor(mark: string) {
    super();
    this.#begin = Buffer.from(`${mark}b\n`);
    this.#end = Buffer.from(`${beforeEnd}${mark}e`);
    this.once("end", () => this.#finish());
    this.once("close", () => this.#finish());
  }

  /** Settles when the command runs; never where it doesn't. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  get hasBegun(): boolean {
    return this.#state !== "before";
  }

  /** Its exit code; undefined where the stream ended before. */
  get code(): Promise<number | undefined> {
    return this.#code.promise;
  }

  /** Settles when all of it has been read, or never will be. */
  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** The first of what the login shell printed before the command. */
  noise(): string {
    const rest = this.#state === "before" ? this.#rest.toString() : "";
    return `${this.#noise}${rest}`.slice(0, keptNoise);
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: TransformCallback,
  ): void {
    this.#rest =
      this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#state === "before") this.#seekBegin();
    if (this.#state === "within") this.#seekEnd();
    if (this.#state === "code") this.#readCode();
    if (this.#state === "after") this.#rest = Buffer.alloc(0);
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#state === "within") this.#pass(this.#rest.length);
    done();
  }

  override _destroy(
    error: Error | null,
    done: (error?: Error | null) => void,
  ): void {
    clearTimeout(this.#waiting);
    done(error);
  }

  #seekBegin(): void {
    const at = this.#rest.indexOf(this.#begin);
    const gone =
      at < 0 ? Math.max(0, this.#rest.length - this.#begin.length + 1) : at;
    if (this.#noise.length < keptNoise)
      this.#noise += this.#rest
        .subarray(0, Math.min(gone, keptNoise))
        .toString();
    this.#rest = this.#rest.subarray(at < 0 ? gone : at + this.#begin.length);
    if (at < 0) return;
    this.#state = "within";
    this.#begun.resolve();
  }

  #seekEnd(): void {
    clearTimeout(this.#waiting);
    const at = this.#rest.indexOf(this.#end);
    const sure = at < 0 ? this.#rest.length - this.#likeTheEnd() : at;
    this.#pass(sure);
    this.#rest = this.#rest.subarray(at < 0 ? sure : at + this.#end.length);
    this.#passed = Math.max(0, this.#passed - sure);
    if (at >= 0) this.#state = "code";
    else if (this.#rest.length > this.#passed)
      this.#waiting = setTimeout(
        () => this.#pass(this.#rest.length),
        restMs,
      ).unref();
  }

  /** How many of the last bytes are the first ones of the second mark. */
  #likeTheEnd(): number {
    const longest = Math.min(this.#rest.length, this.#end.length - 1);
    for (let count = longest; count > 0; count--)
      if (this.#rest.subarray(-count).equals(this.#end.subarray(0, count)))
        return count;
    return 0;
  }

  /** Passes on what comes before `until` in `#rest`, each byte once. */
  #pass(until: number): void {
    if (until <= this.#passed) return;
    this.push(this.#rest.subarray(this.#passed, until));
    this.#passed = until;
  }

  #readCode(): void {
    const [, code] = /^(\d{1,3})\n/.exec(this.#rest.toString("latin1")) ?? [];
    if (code === undefined && this.#rest.length < longestCode) return;
    this.#state = "after";
    this.#code.resolve(code === undefined ? undefined : Number(code));
  }

  #finish(): void {
    this.#code.resolve(undefined);
    this.#drained.resolve();
  }
}
