// The tree that the reference engine runs from: Debian's engine with BuildKit and compose, and Node for the reference
// command line. Made once, kept in the cache folder.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "../lib/cache.mjs";
import { step, Unavailable } from "../lib/progress.mjs";
import { onPath, run } from "../lib/run.mjs";

const release = "trixie";
const packages = [
  ...["docker.io", "docker-cli", "docker-buildx", "docker-compose"],
  ...["iptables", "iproute2", "ca-certificates", "git", "curl", "procps"],
  "nodejs",
];
const user =
  "useradd --create-home --uid 1000 --shell /bin/bash --groups docker me";

/**
 * @returns {Promise<string>} its folder
 * @throws {Unavailable} where it can't be made or used
 */
export async function engineTree() {
  const missing = ["mmdebstrap", "unshare", "nsenter", "slirp4netns"].filter(
    (program) => onPath(program) === undefined,
  );
  if (process.getuid?.() !== 0 || missing.length > 0)
    throw new Unavailable(
      "The reference engine can't run here.",
      missing.length > 0
        ? `${missing.join(", ")} is missing`
        : "it needs root for mounts and networks of its own",
      "Install mmdebstrap and slirp4netns, and run this as root in a container or VM.",
    );
  const key = createHash("sha256")
    .update(JSON.stringify([release, packages, user, process.arch]))
    .digest("hex")
    .slice(0, 12);
  return cached(`reference-engine-${key}`, ["usr/sbin/dockerd"], (folder) =>
    step("Reference engine", () => make(folder)),
  );
}

/** @param {string} folder */
async function make(folder) {
  await mkdir(folder, { recursive: true });
  const tar = `${folder}.tar`;
  try {
    await run("mmdebstrap", [
      ...["--quiet", "--variant=minbase", `--include=${packages.join(",")}`],
      `--customize-hook=chroot "$1" ${user}`,
      ...[release, tar],
    ]);
    await run("tar", ["-C", folder, "--exclude=./dev/*", "-xf", tar]);
  } finally {
    await rm(tar, { force: true });
  }
  for (const name of ["doc", "man", "locale"])
    await rm(join(folder, "usr", "share", name), {
      recursive: true,
      force: true,
    });
}

/** The folder of the reference command line, whichever this checkout has. @param {string} checkout */
export async function referenceCli(checkout) {
  const folder = join(checkout, "node_modules", "@devcontainers", "cli");
  const { version } = JSON.parse(
    await readFile(join(folder, "package.json"), "utf8"),
  );
  return { folder, version };
}
