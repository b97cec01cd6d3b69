/*
 * What a framed command printed, without what the login shell around it printed before and after. Reads
 * `noise MARKb\n output MARKe<code>\n noise`; passes the output on as it comes, but for what may be the second mark's beginning.
 */
import { Transform, type TransformCallback } from "node:stream";
import { promiseWithResolvers } from "../../base/deadline.ts";

/** Of the noise, for people. */
const keptNoise = 300;
/** `MARKe` is followed by this at most. */
const longestCode = 4;

export class Frame extends Transform {
  readonly #begin: Buffer;
  readonly #end: Buffer;
  readonly #begun = promiseWithResolvers<void>();
  readonly #code = promiseWithResolvers<number | undefined>();
  readonly #drained = promiseWithResolvers<void>();
  #state: "before" | "within" | "code" | "after" = "before";
  #rest: Buffer = Buffer.alloc(0);
  #noise = "";

  constructor(mark: string) {
    super();
    this.#begin = Buffer.from(`${mark}b\n`);
    this.#end = Buffer.from(`${mark}e`);
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
    if (this.#state === "within" && this.#rest.length > 0)
      this.push(this.#rest);
    done();
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
    const at = this.#rest.indexOf(this.#end);
    const sure =
      at < 0 ? Math.max(0, this.#rest.length - this.#end.length + 1) : at;
    if (sure > 0) this.push(this.#rest.subarray(0, sure));
    this.#rest = this.#rest.subarray(at < 0 ? sure : at + this.#end.length);
    if (at >= 0) this.#state = "code";
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
