import * as z from "zod";

const kernelSchema = z.object({
  // It becomes part of paths, here and in the guest.
  release: z.string().regex(/^\w[\w.+~-]{0,199}$/),
  kernel: z.string().max(4_096),
  initrd: z.string().max(4_096),
  // What a kernel takes at most (COMMAND_LINE_SIZE of the largest).
  arguments: z.string().max(4_096),
});

/** Where a guest keeps what it was booted with. */
export interface GuestKernel {
  readonly release: string;
  /** Paths in the guest. */
  readonly kernel: string;
  readonly initrd: string;
  /** Of the boot loader, less what is its own business, with the serial console. */
  readonly arguments: string;
}

/**
 * Reads what `prepare.sh kernel` prints. Undefined when the guest's kernel, initrd or root file system can't be told
 * from it: such an image goes on booting through its own boot loader. Pure.
 */
export function parseGuestKernel(text: string): GuestKernel | undefined {
  const fields = Object.fromEntries(
    text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line.includes("="))
      .map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)] as const;
      }),
  );
  const { data } = kernelSchema.safeParse(fields);
  if (data === undefined) return undefined;
  const complete =
    data.kernel.startsWith("/") &&
    data.initrd.startsWith("/") &&
    /(^|\s)root=\S+/.test(data.arguments);
  return complete ? data : undefined;
}

/** An ext4 root that an initrd of ours can mount. */
export interface MinimalRoot {
  readonly uuid: string;
  /** Static; path in the guest. */
  readonly busybox: string;
}

/** Reads what `prepare.sh minimal` prints; undefined when the guest's root is nothing for an initrd of ours. Pure. */
export function parseMinimalRoot(text: string): MinimalRoot | undefined {
  const uuid = /^uuid=([0-9a-f-]{36})$/m.exec(text)?.[1];
  const busybox = /^busybox=(\/\S+)$/m.exec(text)?.[1];
  return uuid === undefined || busybox === undefined
    ? undefined
    : { uuid, busybox };
}

/** The guest's own command line with the root as our initrd finds it: by UUID, ext4, without its initrd's words. Pure. */
export function minimalArguments(line: string, { uuid }: MinimalRoot): string {
  const kept = line
    .split(/\s+/)
    .filter((word) => !/^(root|rootfstype|modules|rootdelay)=/.test(word));
  return [`root=UUID=${uuid}`, "rootfstype=ext4", ...kept].join(" ");
}
