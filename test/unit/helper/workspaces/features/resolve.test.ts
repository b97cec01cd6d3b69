import { describe, expect, test } from "vitest";
import type { FetchFeature } from "../../../../../src/helper/workspaces/features/fetch.ts";
import type { FeatureMetadata } from "../../../../../src/helper/workspaces/features/metadata.ts";
import {
  environmentName,
  givenOptions,
  resolveOptions,
} from "../../../../../src/helper/workspaces/features/options.ts";
import { nameOf } from "../../../../../src/helper/workspaces/features/reference.ts";
import {
  featuresKey,
  type Resolution,
  resolveFeatures,
} from "../../../../../src/helper/workspaces/features/resolve.ts";

type World = Readonly<Record<string, Partial<FeatureMetadata>>>;

/** Features by name; of each, every tag is the same one. */
const fetchFrom =
  (world: World): FetchFeature =>
  (reference, pin) => {
    const name = nameOf(reference);
    const metadata = world[name];
    if (metadata === undefined) throw new Error(`no ${name}`);
    const digest = pin ?? `sha256:${name}`;
    return Promise.resolve({
      metadata: { id: name.slice(name.lastIndexOf("/") + 1), ...metadata },
      digest,
      canonical: `${name}@${digest}`,
      archive: () => Promise.resolve(new Uint8Array()),
    });
  };
const resolve = (
  world: World,
  features: Record<string, unknown>,
  override: string[] = [],
): Promise<Resolution> =>
  resolveFeatures(features, override, new Map(), fetchFrom(world));
const order = async (...args: Parameters<typeof resolve>): Promise<string[]> =>
  (await resolve(...args)).features.map(({ names: [name] }) =>
    name.slice(name.lastIndexOf("/") + 1),
  );
const f = (id: string): string => `ghcr.io/x/${id}`;

describe("the order of features", () => {
  test("is that of their names where nothing else is said, whatever the file's", async () => {
    const world = { [f("a")]: {}, [f("b")]: {}, "./c": {} };
    const wanted = { [f("b")]: {}, "./c": {}, [f("a")]: {} };
    expect(await order(world, wanted)).toEqual(["c", "a", "b"]);
  });

  test("dependencies come first, with their options, and are installed though the file has them not", async () => {
    const world = {
      [f("a")]: { dependsOn: { [f("b:1")]: { flag: true } } },
      [f("b")]: {
        options: { flag: { type: "boolean" as const, default: false } },
        dependsOn: { [f("c")]: {} },
      },
      [f("c")]: {},
    };
    const { features } = await resolve(world, { [f("a")]: {} });
    expect(features.map(({ names: [name] }) => name)).toEqual(
      ["c", "b", "a"].map(f),
    );
    expect(features[1]?.variables).toEqual({ FLAG: "true" });
  });

  test("equal content with equal options is one feature; with others it is installed twice", async () => {
    const world = {
      [f("a")]: { dependsOn: { [f("c")]: {}, [f("b:1")]: { v: "2" } } },
      [f("b")]: { options: { v: { default: "1" } } },
      [f("c")]: { dependsOn: { [f("b")]: { v: "1" }, [f("b:2")]: {} } },
    };
    const { features } = await resolve(world, { [f("a")]: {} });
    expect(features.map(({ names: [name] }) => name)).toEqual(
      ["b", "b", "c", "a"].map(f),
    );
  });

  test("installsAfter is a wish: by name or an earlier one, and only of what is there", async () => {
    const world = {
      [f("a")]: { installsAfter: [f("z"), f("missing")] },
      [f("b")]: { installsAfter: [f("old-y")] },
      [f("y")]: { legacyIds: ["old-y"] },
      [f("z")]: {},
    };
    const all = Object.fromEntries(Object.keys(world).map((id) => [id, {}]));
    expect(await order(world, all)).toEqual(["y", "z", "a", "b"]);
  });

  test("overrideFeatureInstallOrder pulls forward what may come (specification's java and node)", async () => {
    const world = { [f("java")]: {}, [f("node")]: {}, [f("oryx")]: {} };
    const all = { [f("java:1")]: {}, [f("node:1")]: {}, [f("oryx")]: {} };
    expect(await order(world, all, [f("node")])).toEqual([
      ...["node", "java", "oryx"],
    ]);
    expect(await order(world, all, [f("oryx"), f("node:1")])).toEqual([
      ...["oryx", "node", "java"],
    ]);
    // Not before its dependencies.
    const tied = { ...world, [f("node")]: { dependsOn: { [f("oryx")]: {} } } };
    expect(await order(tied, all, [f("node")])).toEqual([
      ...["java", "oryx", "node"],
    ]);
    const { notes } = await resolve(world, all, [f("none")]);
    expect(notes.join()).toContain("ghcr.io/x/none, which is not installed");
  });

  test("within a round: older tags first, then more options, then their names and values", async () => {
    const world = { [f("a")]: { options: {} } };
    const wanted = {
      [f("a")]: {},
      [f("a:2")]: { q: "1" },
      [f("a:1.10")]: { r: "1" },
      [f("a:1.9")]: { s: "1" },
    };
    const { features } = await resolve(world, wanted);
    expect(features.map(({ tag }) => tag)).toEqual([
      ...["1.9", "1.10", "2", "latest"],
    ]);
  });

  test("a circle is an error that shows it", async () => {
    const world = {
      [f("a")]: { dependsOn: { [f("b")]: {} } },
      [f("b")]: { installsAfter: [f("c")] },
      [f("c")]: { dependsOn: { [f("a")]: {} } },
    };
    await expect(resolve(world, { [f("c")]: {} })).rejects.toThrow(
      /: ghcr.io\/x\/a → ghcr.io\/x\/b → ghcr.io\/x\/c → ghcr.io\/x\/a\./,
    );
    await expect(
      resolve({ "./s": { dependsOn: { "./s": {} } } }, { "./s": {} }),
    ).rejects.toThrow(/s → \.\/s/);
  });
});

describe("options", () => {
  // The specification's example.
  const python = {
    options: {
      version: {
        type: "string" as const,
        enum: ["latest", "3.10", "3.9", "3.8", "3.7", "3.6"],
        default: "latest",
      },
      pip: { type: "boolean" as const, default: true },
      optimize: { type: "boolean" as const, default: true },
    },
  };

  test("what is given, else the defaults", () => {
    const given = givenOptions("python", { version: "3.10", pip: false });
    expect(resolveOptions("python", python, given).variables).toEqual({
      VERSION: "3.10",
      PIP: "false",
      OPTIMIZE: "true",
    });
    expect(givenOptions("go", "1.18")).toEqual({ version: "1.18" });
  });

  test("names become variables", () => {
    expect(environmentName("optionIdGoesHere")).toBe("OPTIONIDGOESHERE");
    expect(environmentName("install-tools v1")).toBe("INSTALL_TOOLS_V1");
    expect(environmentName("1st_2nd")).toBe("_ST_2ND");
    expect(environmentName("__x")).toBe("_X");
  });

  test("an unknown option is passed on; a value that isn't allowed is not", () => {
    expect(
      resolveOptions("python", python, { colour: "x;$(id)" }),
    ).toMatchObject({ unknown: ["colour"], variables: { COLOUR: "x;$(id)" } });
    expect(() => resolveOptions("p", python, { version: "2" })).toThrow(
      /“version” can't be “2”, only latest, 3.10/,
    );
    expect(() => resolveOptions("p", python, { pip: "no" })).toThrow(/pip/);
    expect(() => givenOptions("p", ["3"])).toThrow(/neither an object/);
    expect(() => givenOptions("p", { a: { b: 1 } })).toThrow(/“a” is neither/);
  });
});

test("every reference has its pin, also where two stand for one feature", async () => {
  const { features, lock } = await resolve(
    { [f("a")]: {}, "./b": { dependsOn: { [f("a:1")]: {} } } },
    { [f("A")]: {}, "./b": {} },
  );
  expect(features.map(({ reference }) => reference)).toHaveLength(2);
  expect([...lock.keys()]).toEqual([f("A"), f("a:1")]);
});

test("the key for what is installed: digests, options and order, nothing else", async () => {
  const world = { [f("a")]: {}, [f("b")]: { installsAfter: [f("a")] } };
  const key = async (features: Record<string, unknown>): Promise<string> =>
    featuresKey((await resolve(world, features)).features);
  const one = await key({ [f("a")]: { x: "1", y: "2" }, [f("b")]: {} });
  expect(await key({ [f("b:1")]: {}, [f("a:2")]: { y: "2", x: "1" } })).toBe(
    one,
  );
  expect(await key({ [f("a")]: { x: "1", y: "3" }, [f("b")]: {} })).not.toBe(
    one,
  );
  expect(await key({ [f("a")]: { x: "1", y: "2" } })).not.toBe(one);
});
