import type { Architecture, GuestSystem } from "../../../protocol/images.ts";
import { given } from "../../../base/given.ts";
import type { ImageFiles, Layout } from "../../store/layout.ts";
import type { ImageDefaults } from "./defaults.ts";
import type { StoredImage } from "./store.ts";

/** What a machine needs to know of a ready image to stand on it. */
export interface GoldenImage {
  readonly name: string;
  /** `sha256:<64 hex>` of the golden disk. */
  readonly digest: string;
  readonly architecture: Architecture;
  readonly os: GuestSystem;
  /** Windows whose machines get a seed. */
  readonly generalized?: true;
  readonly files: ImageFiles;
  readonly virtualSizeBytes: number;
  readonly defaultUser: string;
  /** Seconds to SSH under hardware acceleration. */
  readonly expectedBootSeconds: number;
  readonly defaults?: ImageDefaults;
  /** True: start `files.kernel` with `files.initrd` and `kernelArguments`; false: firmware and boot loader. */
  readonly directBoot: boolean;
  readonly kernelArguments?: string;
}

export const goldenImage = (
  { record }: StoredImage,
  layout: Layout,
): GoldenImage => ({
  name: record.name,
  digest: record.digest,
  architecture: record.architecture,
  os: record.os ?? "linux",
  ...(record.generalized === true ? { generalized: true } : {}),
  files: layout.image(record.digest),
  virtualSizeBytes: record.virtualSizeBytes,
  defaultUser: record.defaultUser,
  expectedBootSeconds: record.expectedBootSeconds,
  ...given({ defaults: record.defaults }),
  directBoot: record.directBoot !== undefined,
  ...(record.directBoot === undefined
    ? {}
    : { kernelArguments: record.directBoot.kernelArguments }),
});
