/** What an installed QEMU can do. */
export interface QemuFacts {
  readonly version: {
    readonly major: number;
    readonly minor: number;
    readonly micro: number;
  };
  /** Built with seccomp. */
  readonly sandbox: boolean;
  /** Built with user-mode networking (libslirp). */
  readonly userNetwork: boolean;
}
/** Asks the binary once per file version; later calls answer from memory. */
export declare function inspectQemu(
  binary: string,
  signal?: AbortSignal,
): Promise<QemuFacts>;
