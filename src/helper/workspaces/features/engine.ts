/*
 * The container engine of `customizations.guesthouse.engine`, as a feature of our own: so it is installed, remembered by the
 * guest, part of a prebuild and tried again as features are. Its settings are those of the image `containers`.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packed } from "./localFolder.ts";
import type { ResolvedFeature } from "./resolve.ts";

const name = "container engine";

/** Of the product's `resources/`. */
export async function engineFeature(
  resources: string,
): Promise<ResolvedFeature> {
  const guest = join(resources, "guest");
  const settings = join(guest, "engine", "files", "etc");
  const text = (...path: string[]): Promise<string> =>
    readFile(join(...path), "utf8");
  const unit = await text(
    settings,
    "systemd/system/docker.service.d/50-guesthouse.conf",
  );
  const files = {
    "daemon.json": await text(settings, "docker", "daemon.json"),
    // Its order of units is for an image whose engine starts behind SSH.
    "docker.service.conf": unit.slice(unit.indexOf("[Service]")),
    "install.sh": await text(guest, "containers/engine-feature/install.sh"),
  };
  const archive = await packed((into) => {
    for (const [path, content] of Object.entries(files))
      into.entry({ name: path, mtime: new Date(0), mode: 0o644 }, content);
  });
  const digest = createHash("sha256").update(archive).digest("hex");
  return {
    reference: name,
    metadata: { id: "engine", name },
    digest: `sha256:${digest}`,
    canonical: `${name}@sha256:${digest}`,
    archive: () => Promise.resolve(archive),
    variables: {},
    identity: digest.slice(0, 32),
    names: [name],
    tag: "",
    given: {},
    dependsOn: [],
    installsAfter: [],
  };
}
