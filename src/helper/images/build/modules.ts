/** What `depmod` leaves in `/lib/modules/<version>`. */
export interface ModuleIndex {
  /** Text of `modules.dep`: `path: dependency…`, paths relative to the folder. */
  readonly dependencies: string;
  /** Text of `modules.builtin`. */
  readonly builtin: string;
}

export interface WantedModule {
  readonly name: string;
  /** True: fine when the kernel has no such module. */
  readonly optional?: boolean;
}

/** What the root disk of every machine needs: virtio over PCI and ext4, whose checksums ext4 asks for at mount time. */
export const rootDiskModules: readonly WantedModule[] = [
  { name: "virtio_pci" },
  { name: "virtio_blk" },
  { name: "crc32c_intel", optional: true },
  { name: "crc32c_generic", optional: true },
  { name: "ext4" },
];

/**
 * The module files to load for `wanted`, each after everything it depends on. Modules that are built into the kernel
 * need no file.
 * Throws an `Error` that names the modules which the kernel lacks.
 */
export function planModules(
  index: ModuleIndex,
  wanted: readonly WantedModule[],
): string[] {
  const dependencies = new Map<string, readonly string[]>();
  const paths = new Map<string, string>();
  for (const line of index.dependencies.split("\n")) {
    const [path, rest = ""] = line.split(":");
    if (path === undefined || path === "") continue;
    const needs = rest.split(" ").filter(Boolean);
    // The guest wrote this, and the paths are made on the host: none leads out of its folder.
    if ([path, ...needs].some((one) => one.split("/").includes("..")))
      throw new Error("modules.dep names files outside of its folder");
    dependencies.set(path, needs);
    paths.set(moduleName(path), path);
  }
  const builtin = new Set(
    index.builtin.split("\n").filter(Boolean).map(moduleName),
  );

  const order: string[] = [];
  const visited = new Set<string>();
  const visit = (path: string): void => {
    if (visited.has(path)) return;
    visited.add(path);
    dependencies.get(path)?.forEach(visit);
    order.push(path);
  };
  const missing: string[] = [];
  for (const { name, optional } of wanted) {
    const path = paths.get(name);
    if (path !== undefined) visit(path);
    else if (!builtin.has(name) && optional !== true) missing.push(name);
  }
  if (missing.length > 0)
    throw new Error(`the kernel has no module ${missing.join(", ")}`);
  return order;
}

/** `kernel/fs/ext4/ext4.ko.xz` → `ext4`; dashes and underscores are the same to the kernel. */
export const moduleName = (path: string): string =>
  (path.split("/").at(-1) ?? path)
    .replace(/\.ko(\.\w+)?$/, "")
    .replaceAll("-", "_");
