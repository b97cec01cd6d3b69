import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { describe, expect, test } from "vitest";
import { methods } from "../../src/protocol/contract.ts";

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

/** The room that a file lives in: its folder. */
const roomOf = (path: string): string => dirname(path);

/**
 * The rooms of each folder from the ground up: each imports from those before it only. `.` are the folder's own files.
 * A new room gets its place here, and a line in docs/architecture.md.
 */
const floors: Readonly<Record<string, readonly string[]>> = {
  src: ["base", "protocol", "rpc", "extension", "helper", "webview"],
  "src/extension": [
    ...["window", "failures", "rows", "helper", "images", "storage", "work"],
    ...["host", "machines", "screen", "ssh", "snapshots", "workspaces", "."],
  ],
  "src/helper": [
    ...["processes", "store", "net", "qemu", "networks", "snapshots", "ssh"],
    ...["guests", "host", "images", "machines", "storage", "workspaces"],
    ...["daemon", "cli", "."],
  ],
  "src/helper/daemon": ["rooms", "."],
  "src/helper/cli": ["terminal", "images", "machines", "workspaces", "."],
  "src/helper/guests": [
    ...["agent", "programs", "handoff", "seed", "boot", "diagnosis"],
  ],
  "src/helper/images": [
    ...["jobs", "tools", "disks", "build", "golden", "archive", "catalog"],
    ...["prepare", "windows", "."],
  ],
  "src/helper/images/windows": [
    ...["iso", "steps", "answers", "contract", "install", "."],
  ],
  "src/helper/machines": [
    ...["roster", "identity", "running", "boot", "saved", "warm", "pool"],
    ...["selfTest", "."],
  ],
  "src/helper/workspaces": [
    ...["devcontainer", "git", "files", "known", "bringBack", "branches"],
    ...["copying", "guest", "editor", "features", "container"],
    ...["credentials", "share", "down", "up", "prebuild", "."],
  ],
  "src/webview": ["screen"],
};

/** `src/helper/images/build/apt.ts` seen from `src/helper`: `images`; seen from its own folder: `.`. */
function floorIn(folder: string, path: string): string | undefined {
  if (!starts(path, folder)) return undefined;
  const [first = "", ...rest] = path.slice(folder.length + 1).split("/");
  return rest.length === 0 ? "." : first;
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

/** Every way that leads back to where it began, once, as `a → b → a`. */
function circlesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (at: string, trail: readonly string[]): void => {
    if (trail.includes(at))
      circles.push([...trail.slice(trail.indexOf(at)), at].join(" → "));
    if (done.has(at) || trail.includes(at)) return;
    for (const next of edges.get(at) ?? []) visit(next, [...trail, at]);
    done.add(at);
  };
  for (const at of edges.keys()) visit(at, []);
  return circles;
}

/** The first words of the contract's methods: `workspaces`, `branches`, …. */
const prefixes = [
  ...new Set(Object.keys(methods).map((name) => name.split(".")[0]!)),
];

/** What of the contract a file under src declares or answers: `"workspaces.up": …`. */
const namedIn = ({ text }: SourceFile): string[] =>
  [...text.matchAll(/^ *"([a-z][A-Za-z]+\.[a-z][A-Za-z]+)":/gm)]
    .map((match) => match[1]!)
    .filter((name) => Object.hasOwn(methods, name));

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

  test("every folder imports from those below it only, at every depth", () => {
    const upwards = Object.entries(floors).flatMap(([folder, order]) =>
      violations(({ path }, imported) => {
        const from = floorIn(folder, path);
        const to = floorIn(folder, imported);
        return (
          from !== undefined &&
          to !== undefined &&
          order.indexOf(from) < order.indexOf(to)
        );
      }),
    );
    expect(upwards).toEqual([]);
  });

  test("every folder has its place in the order, and every place its folder", () => {
    const found = new Map<string, Set<string>>();
    for (const { path } of sources)
      for (let room = dirname(path); room !== "."; room = dirname(room)) {
        const floor = floorIn(room, path)!;
        found.set(room, (found.get(room) ?? new Set()).add(floor));
      }
    const withRooms = [...found].filter(([, rooms]) =>
      [...rooms].some((room) => room !== "."),
    );
    expect(
      Object.fromEntries(
        withRooms.map(([folder, rooms]) => [folder, [...rooms].sort()]),
      ),
    ).toEqual(
      Object.fromEntries(
        Object.entries(floors).map(([folder, order]) => [
          folder,
          [...order].sort(),
        ]),
      ),
    );
  });

  test("no folder imports itself in a circle", () => {
    const edges = new Map<string, Set<string>>();
    for (const { path, imports } of sources)
      for (const imported of imports)
        if (imported.startsWith("src/") && roomOf(imported) !== roomOf(path))
          edges.set(
            roomOf(path),
            (edges.get(roomOf(path)) ?? new Set()).add(roomOf(imported)),
          );
    expect(circlesOf(edges)).toEqual([]);
  });

  test("no file imports itself in a circle", () => {
    const edges = new Map(
      sources.map(({ path, imports }) => [
        path,
        new Set(imports.filter((imported) => imported.startsWith("src/"))),
      ]),
    );
    expect(circlesOf(edges)).toEqual([]);
  });

  test("circles are found", () => {
    const edges = new Map([
      ["a", new Set(["b"])],
      ["b", new Set(["c"])],
      ["c", new Set(["b"])],
    ]);
    expect(circlesOf(edges)).toEqual(["b → c → b"]);
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
    expect(prefixes.length).toBeGreaterThan(10);
    const named = new RegExp(
      `"(?:${prefixes.join("|")})\\.[a-z][A-Za-z]+"\\s*:`,
    );
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

describe("who answers which methods", () => {
  const rooms: Readonly<Record<string, string>> = {
    workspaces: "src/helper/workspaces",
    branches: "src/helper/workspaces/branches",
    bringBack: "src/helper/workspaces/bringBack",
    containers: "src/helper/workspaces/container",
    copying: "src/helper/workspaces/copying",
    prebuilds: "src/helper/workspaces/prebuild",
    machines: "src/helper/machines",
    checkpoints: "src/helper/machines/saved",
    templates: "src/helper/machines/warm",
    pool: "src/helper/machines/pool",
    selfTest: "src/helper/machines/selfTest",
    images: "src/helper/images",
    host: "src/helper/host",
    ssh: "src/helper/ssh",
    storage: "src/helper/storage",
  };
  test.each(Object.entries(rooms))(
    "%s.… is declared in one file of the contract and answered by one room, each with nothing else",
    (prefix, room) => {
      const all = Object.keys(methods).filter((name) =>
        name.startsWith(`${prefix}.`),
      );
      for (const path of [`src/protocol/${prefix}.ts`, `${room}/handlers.ts`]) {
        const file = sources.find((source) => source.path === path);
        expect(file && namedIn(file).sort()).toEqual(all.sort());
      }
    },
  );
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

  test("docs/architecture.md names every folder under src", () => {
    const map = readFileSync(join(root, "docs/architecture.md"), "utf8");
    const rooms = [...new Set(sources.map(({ path }) => roomOf(path)))];
    expect(rooms.length).toBeGreaterThan(40);
    expect(
      rooms.filter(
        (room) => !new RegExp(`(^|[\\s\`/{(])${basename(room)}/`).test(map),
      ),
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
