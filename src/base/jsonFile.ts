import { readIfPresent, replaceFile } from "./files.ts";

export type JsonRead<T> =
  | { readonly kind: "read"; readonly value: T }
  | { readonly kind: "missing" }
  /** Present, but not what it should be. The caller decides; the file is left as it is. */
  | { readonly kind: "corrupt"; readonly reason: string };

/** Reads and checks a JSON file; `parse` throws on a wrong shape. */
export async function readJson<T>(
  path: string,
  parse: (value: unknown) => T,
): Promise<JsonRead<T>> {
  const text = await readIfPresent(path);
  if (text === undefined) return { kind: "missing" };
  try {
    return { kind: "read", value: parse(JSON.parse(text)) };
  } catch (error) {
    return {
      kind: "corrupt",
      reason: error instanceof Error ? error.message : String(error),
    };
  }
}

/** Replaces a JSON file atomically (B19). */
export const writeJson = (path: string, value: unknown): Promise<void> =>
  replaceFile(path, `${JSON.stringify(value, null, 2)}\n`);
