import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

interface SourceFile {
  /** From the project's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly string[];
  /** Those of them that are loaded together with this file: neither types nor asked for later. */
  readonly loads: readonly string[];
}

const sources = readSources("src");
const everything = [
  ...sources,
  ...readSources("test"),
  ...readSources("scripts"),
];

function readSources(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .map((name) => {
      const path = join(folder, name).split(sep).join("/");
      const text = readFileSync(join(root, path), "utf8");
      const specifiersBy = (pattern: RegExp): string[] =>
        [...text.matchAll(pattern)].map((match) =>
          match[1]!.startsWith(".")
            ? relative(root, resolve(root, dirname(path), match[1]!))
                .split(sep)
                .join("/")
            : match[1]!,
        );
      return {
        path,
        text,
        lines: text.split("\n").length - 1,
        imports: [
          ...specifiersBy(
            /(?:^|\n)\s*(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"/g,
          ),
          ...specifiersBy(/\bimport\(\s*"([^"]+)"\s*\)/g),
        ],
        loads: specifiersBy(
          /(?:^|\n)(?:import|export)\s+(?!type\b)[^;]*?\bfrom\s+"([^"]+)"/g,
        ),
      };
    });
}

/** `src/helper/images/build/apt.ts` → `helper/images`; `src/base/log.ts` → `base`. */
function roomOf(path: string): string {
  const parts = path.replace(/^src\//, "").split("/");
  if (parts.length < 3) return parts.length === 2 ? parts[0]! : "";
  return parts[0] === "helper" || parts[0] === "extension"
    ? `${parts[0]}/${parts[1]!}`
    : parts[0]!;
}

const violations = (
  rule: (file: SourceFile, imported: string) => boolean,
): string[] =>
  sources.flatMap((file) =>
    file.imports
      .filter((imported) => rule(file, imported))
      .map((imported) => `${file.path} → ${imported}`),
  );

const starts = (path: string, ...folders: string[]): boolean =>
  folders.some((folder) => path.startsWith(`${folder}/`));

describe("who may import whom", () => {
  test("base imports node: and itself only", () => {
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, "src/base") &&
          !imported.startsWith("node:") &&
          !starts(imported, "src/base"),
      ),
    ).toEqual([]);
  });

  test("protocol imports zod and itself only", () => {
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, "src/protocol") &&
          imported !== "zod" &&
          !starts(imported, "src/protocol"),
      ),
    ).toEqual([]);
  });

  test("rpc is the only user of vscode-jsonrpc and knows neither helper nor extension", () => {
    expect(
      violations(
        ({ path }, imported) =>
          imported.startsWith("vscode-jsonrpc") && !starts(path, "src/rpc"),
      ),
    ).toEqual([]);
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, "src/rpc") &&
          starts(imported, "src/helper", "src/extension"),
      ),
    ).toEqual([]);
  });

  test("helper and extension never import each other; vscode belongs to the extension", () => {
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, "src/helper") && starts(imported, "src/extension"),
      ),
    ).toEqual([]);
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, "src/extension") && starts(imported, "src/helper"),
      ),
    ).toEqual([]);
    expect(
      violations(
        ({ path }, imported) =>
          imported === "vscode" && !starts(path, "src/extension"),
      ),
    ).toEqual([]);
  });

  test("qemu and store import no capability", () => {
    const capabilities = [
      "machines",
      "images",
      "guests",
      "networks",
      "snapshots",
      "workspaces",
      "ssh",
      "host",
      "cli",
      "daemon",
    ].map((name) => `src/helper/${name}`);
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, "src/helper/qemu", "src/helper/store") &&
          starts(imported, ...capabilities),
      ),
    ).toEqual([]);
  });

  test("capabilities don't import those who orchestrate them", () => {
    const capabilities = [
      "images",
      "guests",
      "networks",
      "snapshots",
      "ssh",
      "host",
    ].map((name) => `src/helper/${name}`);
    const above = ["machines", "workspaces", "cli", "daemon"].map(
      (name) => `src/helper/${name}`,
    );
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, ...capabilities) && starts(imported, ...above),
      ),
    ).toEqual([]);
    expect(
      violations(
        ({ path }, imported) =>
          starts(path, "src/helper/machines", "src/helper/workspaces") &&
          starts(imported, "src/helper/cli", "src/helper/daemon"),
      ),
    ).toEqual([]);
  });

  test("no file imports itself in a circle", () => {
    const graph = new Map(
      sources.map(({ path, imports }) => [
        path,
        imports.filter((imported) => imported.startsWith("src/")),
      ]),
    );
    const circles: string[] = [];
    const done = new Set<string>();
    const visit = (path: string, trail: string[]): void => {
      if (trail.includes(path))
        circles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      if (done.has(path) || trail.includes(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
    expect(circles).toEqual([]);
  });

  test("activation loads neither the contract's schemas nor what speaks it: the first request does", () => {
    const loaded = new Map<string, readonly string[]>();
    const load = (path: string, trail: readonly string[]): void => {
      if (loaded.has(path)) return;
      loaded.set(path, trail);
      const file = sources.find((source) => source.path === path);
      for (const next of file?.loads ?? []) load(next, [...trail, next]);
    };
    load("src/extension/main.ts", []);
    expect(loaded.size).toBeGreaterThan(20);
    expect([loaded.get("zod"), loaded.get("vscode-jsonrpc/node")]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("only handlers, the contract and clients name RPC methods", () => {
    const named =
      /"(?:checkpoints|helper|host|images|machines|pool|ssh|storage|templates|workspaces)\.[a-z][A-Za-z]+"\s*:/;
    const allowed = (path: string): boolean =>
      /[hH]andlers\.ts$/.test(path) ||
      starts(path, "src/protocol") ||
      path === "src/helper/daemon/server.ts";
    expect(
      sources
        .filter(
          ({ path, text }) =>
            starts(path, "src/helper") && named.test(text) && !allowed(path),
        )
        .map(({ path }) => path),
    ).toEqual([]);
  });
});

describe("the shape of files", () => {
  test("no file is past 400 lines", () => {
    expect(
      everything
        .filter(({ lines }) => lines > 400)
        .map(({ path, lines }) => `${path}: ${String(lines)}`),
    ).toEqual([]);
  });

  test("nine in ten files under src are under 250 lines", () => {
    const large = sources.filter(({ lines }) => lines > 250).length;
    expect(large / sources.length).toBeLessThanOrEqual(0.1);
  });

  test("no barrels, no re-exports, no utils, no default exports", () => {
    expect(
      sources
        .filter(({ text }) => /\nexport\s+(?:\*|\{[^}]*\})\s+from\s/.test(text))
        .map(({ path }) => path),
    ).toEqual([]);
    expect(
      sources
        .filter(({ path }) =>
          /(^|\/)(utils?|helpers|misc|common|index)\.ts$/.test(path),
        )
        .map(({ path }) => path),
    ).toEqual([]);
    expect(
      sources
        .filter(({ text }) => /\nexport default /.test(text))
        .map(({ path }) => path),
    ).toEqual([]);
  });

  test("every folder under src/helper and src/extension is a room that docs/architecture.md names", () => {
    const map = readFileSync(join(root, "docs/architecture.md"), "utf8");
    const rooms = new Set(
      sources
        .map(({ path }) => roomOf(path))
        .filter((room) => room.includes("/")),
    );
    expect(
      [...rooms].filter((room) => !map.includes(`${room.split("/")[1]!}/`)),
    ).toEqual([]);
  });

  test("no shell strings: programs are run with argument arrays", () => {
    expect(
      sources
        .filter(({ text }) =>
          /\bshell:\s*true|\bexecSync\(|import \{[^}]*\bexec\b[^}]*\} from "node:child_process"/.test(
            text,
          ),
        )
        .map(({ path }) => path),
    ).toEqual([]);
  });
});
