import { posix } from "node:path";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import { type GuesthouseError, refused } from "../../../protocol/failure.ts";

/** Where a feature comes from, as a file names it. */
export type FeatureReference =
  /** A folder, relative to that of the devcontainer.json. */
  | { readonly kind: "local"; readonly path: string }
  | {
      readonly kind: "registry";
      /** `ghcr.io`, `localhost:5000`. */
      readonly registry: string;
      /** `devcontainers/features/go`. */
      readonly repository: string;
      readonly tag: string;
      /** `sha256:…` of the manifest; goes before the tag. */
      readonly digest?: string;
    }
  | { readonly kind: "tarball"; readonly url: string };

const registryPattern =
  /^((?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)?|localhost(?::\d+)?)\/([a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?::([a-z0-9_][a-z0-9._-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/** Without its version, a reference is `latest` (specification, "devcontainer.json properties"). Pure. */
export function parseReference(text: string): FeatureReference {
  if (/^\.\.?\//.test(text))
    return { kind: "local", path: posix.normalize(text) };
  if (/^https?:\/\//i.test(text)) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !isSafeUrl(url) || url.username !== "")
      throw unknownReference(
        text,
        "an archive is fetched over https only, without a name and password in its address",
      );
    return { kind: "tarball", url: url.href };
  }
  // References are the same in upper and lower case.
  const [, registry, repository, tag = "latest", digest] =
    registryPattern.exec(text.toLowerCase()) ?? [];
  if (registry === undefined || repository === undefined)
    throw unknownReference(text, whyNot(text));
  return {
    kind: "registry",
    registry,
    repository,
    tag,
    ...given({ digest }),
  };
}

function whyNot(text: string): string {
  if (posix.isAbsolute(text))
    return "a folder is named relative to the devcontainer.json, beginning with ./";
  // Names of the time before registries: of the specification's own features, and of somebody's releases.
  if (/^[a-z0-9-]+$/i.test(text))
    return `write ghcr.io/devcontainers/features/${text}:1 for the one of the specification's makers, or ./${text} for a folder`;
  if (/^[\w-]+\/[\w-]+\/[\w-]+(?:@[\w.-]+)?$/.test(text))
    return "it is a release on GitHub, as features were before registries; write its name in a registry, or the https address of its archive";
  return "it is neither ./folder, nor registry/namespace/name with a tag or digest, nor the https address of an archive";
}

/** What a feature is called whatever its version: by this, others ask to come after it. Pure. */
export function nameOf(reference: FeatureReference): string {
  switch (reference.kind) {
    case "local":
      return `./${reference.path}`.replace(/^\.\/\.\.\//, "../");
    case "registry":
      return `${reference.registry}/${reference.repository}`;
    case "tarball":
      return reference.url;
  }
}

/** Without encryption only this computer itself is asked: a registry that somebody tries something with. */
export const isSafeUrl = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && isLocalHost(hostname));

export const isLocalHost = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "127.0.0.1";

const unknownReference = (text: string, why: string): GuesthouseError =>
  refused(
    "workspaces.featureInvalid",
    `The feature “${visible(text)}” can't be found: ${why}.`,
    {
      remedy:
        "Name it as https://containers.dev/implementors/features/#referencing-a-feature says.",
    },
  );
