import { expect, test } from "vitest";
import {
  type PrebuildIngredients,
  prebuildKeys,
  prebuildName,
} from "../../../../../src/helper/workspaces/prebuild/key.ts";
import { imageNameSchema } from "../../../../../src/helper/images/catalog/catalog.ts";

const usual: PrebuildIngredients = {
  base: { name: "debian-12", digest: "sha256:aa", architecture: "amd64" },
  user: "vscode",
  target: "/workspaces/web",
  workspaceFolder: "/workspaces/web",
  featuresKey: "",
  file: { onCreateCommand: "a", containerEnv: { A: "1", B: "2" } },
  remoteEnv: { TOKEN: "${localEnv:TOKEN}" },
  keyFiles: [{ path: "package-lock.json", sha256: "cc" }],
};
const keys = (change: Partial<PrebuildIngredients> = {}) =>
  prebuildKeys({ ...usual, ...change });

test("equal ingredients, in whatever order they are written, give equal keys", () => {
  expect(
    keys({ file: { containerEnv: { B: "2", A: "1" }, onCreateCommand: "a" } }),
  ).toEqual(keys());
  const [a, b] = [
    { path: "a", sha256: null },
    { path: "b", sha256: "bb" },
  ];
  expect(keys({ keyFiles: [a, b] })).toEqual(keys({ keyFiles: [b, a] }));
  expect(keys().key).toMatch(/^[0-9a-f]{64}$/);
});

test.each<[string, Partial<PrebuildIngredients>]>([
  ["image", { base: { ...usual.base, name: "debian-13" } }],
  ["architecture", { base: { ...usual.base, architecture: "arm64" } }],
  ["user", { user: undefined }],
  ["folder in the guest", { target: "/workspaces/other" }],
  ["opened folder", { workspaceFolder: "/workspaces/web/inner" }],
  ["features", { featuresKey: "go:1" }],
  ["onCreateCommand", { file: { ...usual.file, onCreateCommand: ["a"] } }],
  [
    "updateContentCommand",
    { file: { ...usual.file, updateContentCommand: "u" } },
  ],
  ["containerEnv", { file: { ...usual.file, containerEnv: { A: "1" } } }],
  ["remoteEnv", { remoteEnv: {} }],
  [
    "a lock file's content",
    { keyFiles: [{ path: "package-lock.json", sha256: "dd" }] },
  ],
  [
    "a lock file that is gone",
    { keyFiles: [{ path: "package-lock.json", sha256: null }] },
  ],
])("another %s is another prebuild, wherever it is made", (_, change) => {
  expect(keys(change).key).not.toBe(keys().key);
  expect(keys(change).fileKey).not.toBe(keys().fileKey);
});

test("another build of the base image is another key of the same file; without its digest there is none", () => {
  const other = keys({ base: { ...usual.base, digest: "sha256:bb" } });
  expect(other.fileKey).toBe(keys().fileKey);
  expect(other.key).not.toBe(keys().key);
  expect(keys({ base: { ...usual.base, digest: undefined } })).toEqual({
    key: undefined,
    fileKey: keys().fileKey,
  });
});

test.each(["web", "--my wéb", "日本", "x".repeat(300), "..", "a.b"])(
  "a folder named %j gives an image's name",
  (folder) => {
    const name = prebuildName(folder, keys().key ?? "");
    expect(imageNameSchema.safeParse(name).success).toBe(true);
    expect(name.endsWith(keys().key?.slice(0, 8) ?? "-")).toBe(true);
  },
);
