export interface DiskImage {
  readonly path: string;
  readonly format: string;
  readonly virtualSizeBytes: number;
  /** Really allocated on the host. */
  readonly actualSizeBytes: number;
  /** The file below, down to the base. */
  readonly backing?: DiskImage;
}
export interface OverlayOptions {
  readonly path: string;
  /** qcow2. */
  readonly backingPath: string;
  /** Default: the backing disk's size. */
  readonly sizeBytes?: number;
}
export declare function createOverlay(
  options: OverlayOptions,
  signal?: AbortSignal,
): Promise<void>;
/** Also of a disk in use. */
export declare function imageInfo(
  path: string,
  signal?: AbortSignal,
): Promise<DiskImage>;
/** Throws `images.broken` when the file's own structure is damaged. */
export declare function checkImage(
  path: string,
  signal?: AbortSignal,
): Promise<void>;
/** Grows only; the disk must not be in use. */
export declare function resizeDisk(
  path: string,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<void>;
export interface ConvertOptions {
  readonly format: "qcow2" | "raw";
  /** zstd clusters; qcow2 only. */
  readonly compress?: boolean;
  readonly sourceFormat?: string;
  /** 0..1 */
  readonly onProgress?: (fraction: number) => void;
}
export declare function convertImage(
  source: string,
  target: string,
  options: ConvertOptions,
  signal?: AbortSignal,
): Promise<void>;
