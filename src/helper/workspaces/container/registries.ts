/*
 * Which registries a configuration pulls from, so that this computer's credentials for those, and no others, can serve a pull in
 * the VM. Read loosely: what is missed is pulled without a name, what is found too much is asked for on this computer only.
 */
import { join } from "node:path";
import type { Devcontainer } from "../devcontainer/model.ts";
import { readInside } from "../devcontainer/readInside.ts";
import type { FindCredentials } from "../features/credentials.ts";

/** The name by which `docker login` keeps Docker Hub. */
const hub = "index.docker.io";
const hubKey = "https://index.docker.io/v1/";

/** Of an image's name: `ghcr.io/a/b:1` → `ghcr.io`, `node:22` → Docker Hub. Undefined for what can't be a name. Pure. */
export function registryOf(image: string): string | undefined {
  const name = image.replace(/^["']|["']$/g, "");
  if (!/^\w[\w./:@-]*$/.test(name) || name === "scratch") return undefined;
  const [first = "", ...rest] = name.split("/");
  return rest.length > 0 &&
    /[.:]|^localhost$/.test(first) &&
    first !== "docker.io"
    ? first
    : hub;
}

/** Image names in a Dockerfile (`FROM`, `COPY --from`, `# syntax`, defaults of `ARG`) or a Compose file. Pure. */
export function imagesIn(text: string): string[] {
  const lines = text.split("\n").slice(0, mostLines);
  return lines.flatMap((line) => {
    const [, from, copied, argument, syntax, composed] =
      reference.exec(line) ?? [];
    const name = from ?? copied ?? argument ?? syntax ?? composed;
    return name === undefined || name.includes("$") ? [] : [name];
  });
}

const reference =
  /^\s*(?:FROM\s+(?:--\S+\s+)*(\S+)|(?:COPY|ADD|RUN)\s.*(?:--from|from)=([^\s,]+)|ARG\s+\w+=(\S+[/:]\S+)|#\s*syntax\s*=\s*(\S+)|image:\s*(\S+))/i;

const mostLines = 10_000;

/** Registries of a file and of the Dockerfile or Compose files that it names, which lie in `folder`. */
export async function registriesOf(
  file: Devcontainer,
  folder: string,
  configFolder: string,
): Promise<string[]> {
  const named = [
    file.build?.dockerfile ?? file.dockerFile ?? [],
    file.dockerComposeFile ?? [],
  ].flat();
  const texts = await Promise.all(
    named.map((path) => readInside(folder, join(configFolder, path))),
  );
  const images = [
    ...(file.image === undefined ? [] : [file.image]),
    ...Object.keys(file.features ?? {}).filter((name) => name.includes("/")),
    ...texts.flatMap(imagesIn),
  ];
  return [...new Set(images.flatMap((image) => registryOf(image) ?? []))];
}

/** What this computer has for these registries, as a config.json of Docker; undefined where it has nothing. */
export async function dockerConfigFor(
  registries: readonly string[],
  find: FindCredentials,
  signal: AbortSignal,
): Promise<string | undefined> {
  const auths: Record<string, { auth: string }> = {};
  for (const registry of registries) {
    const found =
      (await find(registry, signal)) ??
      // Credential helpers know it by its address.
      (registry === hub ? await find(hubKey, signal) : undefined);
    if (found === undefined) continue;
    const auth = Buffer.from(`${found.username}:${found.password}`);
    auths[registry === hub ? hubKey : registry] = {
      auth: auth.toString("base64"),
    };
  }
  return Object.keys(auths).length === 0
    ? undefined
    : JSON.stringify({ auths });
}

/** Whether what was printed says that a registry wants to know who asks. Pure. */
export const wantsCredentials = (printed: readonly string[]): boolean =>
  printed.some((line) =>
    /unauthorized|authentication required|access denied|access to the resource is denied|no basic auth credentials|pull rate limit/i.test(
      line,
    ),
  );
