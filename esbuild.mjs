// Builds the bundles that ship: the extension, the host helper, and the page of the screen panel.
import { chmod, cp, rm } from "node:fs/promises";
import { readFileSync } from "node:fs";
import esbuild from "esbuild";

const { version } = JSON.parse(
  readFileSync(new URL("package.json", import.meta.url), "utf8"),
);
const watch = process.argv.includes("--watch");

const shared = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  minify: !watch && !process.argv.includes("--no-minify"),
  sourcemap: watch ? "inline" : false,
  legalComments: "linked",
  logLevel: "warning",
  define: {
    __GUESTHOUSE_VERSION__: JSON.stringify(version),
    "import.meta.url": "__importMetaUrl",
  },
  inject: [],
  // Its main file is UMD, whose requires a bundler can't follow.
  alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
  banner: {
    js: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;",
  },
};

/** ssh2 has optional native parts and falls back to JavaScript and WebAssembly without them. */
const withoutNativeAddons = {
  name: "without-native-addons",
  setup(build) {
    build.onResolve({ filter: /\.node$|^cpu-features$/ }, ({ path }) => ({
      path,
      namespace: "absent",
    }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({
      contents: "throw new Error('native addon not bundled')",
      loader: "js",
    }));
  },
};

/** What ships of others under licences that ask to be named, with the place of the source. */
const novnc = `/*!
 * Holds noVNC ${JSON.parse(readFileSync(new URL("node_modules/@novnc/novnc/package.json", import.meta.url), "utf8")).version}, unchanged: Copyright (C) The noVNC authors, Mozilla Public License 2.0
 * (https://mozilla.org/MPL/2.0/); source: https://github.com/novnc/noVNC and https://www.npmjs.com/package/@novnc/novnc.
 * noVNC holds pako: Copyright (C) 2014-2016 Vitaly Puzrin, MIT License; source: https://github.com/nodeca/pako.
 */`;

/**
 * The reference implementation of the devcontainer specification, for the image `containers`: as its makers bundle it, in
 * their folders, where it looks for its own files; with its licence (MIT) and its list of what it holds of others.
 */
async function copyDevContainerCli() {
  const files = [
    "devcontainer.js",
    "package.json",
    "dist/spec-node/devContainersSpecCLI.js",
    "scripts/updateUID.Dockerfile",
    "LICENSE.txt",
    "ThirdPartyNotices.txt",
  ];
  await rm("dist/devcontainer", { recursive: true, force: true });
  for (const file of files)
    await cp(
      new URL(`node_modules/@devcontainers/cli/${file}`, import.meta.url),
      `dist/devcontainer/${file}`,
    );
}

const bundles = [
  {
    ...shared,
    entryPoints: ["src/extension/main.ts"],
    outfile: "dist/extension.js",
    external: ["vscode"],
  },
  {
    ...shared,
    entryPoints: ["src/helper/main.ts"],
    outfile: "dist/helper.js",
    banner: { js: "#!/usr/bin/env node" },
  },
  {
    ...shared,
    entryPoints: {
      commands: "src/helper/cli/main.ts",
      proxy: "src/helper/cli/proxyAlone.ts",
    },
    outdir: "dist",
    plugins: [withoutNativeAddons],
  },
  {
    ...shared,
    entryPoints: ["src/webview/screen/main.ts"],
    outfile: "dist/screen.js",
    platform: "browser",
    // What VS Code 1.100 runs on; noVNC awaits at the top of a module.
    target: "chrome132",
    format: "esm",
    define: {},
    banner: { js: novnc },
  },
];

if (watch) {
  for (const options of bundles) await (await esbuild.context(options)).watch();
} else {
  try {
    await Promise.all([
      ...bundles.map((options) => esbuild.build(options)),
      copyDevContainerCli(),
    ]);
    await chmod("dist/helper.js", 0o755);
  } catch {
    // esbuild has told what is wrong, and where.
    process.exitCode = 1;
  }
}
