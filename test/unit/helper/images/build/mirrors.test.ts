import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  parseDeb822File,
  parseListFile,
} from "../../../../../src/helper/images/build/aptSources.ts";
import {
  aptConf,
  proxySettings,
  publicMirrors,
  readHostMirrors,
  sourcesList,
} from "../../../../../src/helper/images/build/mirrors.ts";

const deb822 = `Types: deb deb-src
# a comment inside the stanza
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
`;

describe("apt's source files", () => {
  test("one-line style: options, comments and several components", () => {
    const text = `# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/key.gpg] https://mirror.example/debian bookworm main contrib # trailing
deb-src http://mirror.example/debian bookworm main
deb http://flat.example/repo ./
deb`;
    expect(parseListFile(text)).toEqual([
      {
        uri: "https://mirror.example/debian",
        suites: ["bookworm"],
        components: ["main", "contrib"],
      },
      { uri: "http://flat.example/repo", suites: ["./"], components: [] },
    ]);
  });

  test("deb822 style: comments, continuation lines, disabled and source-only stanzas", () => {
    expect(parseDeb822File(deb822)).toEqual([
      {
        uri: "http://mirror.example/debian/",
        suites: ["bookworm", "bookworm-updates"],
        components: ["main", "contrib"],
      },
    ]);
  });
});

describe("the host's mirrors", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "apt-"));
    await mkdir(join(folder, "sources.list.d"));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const list = (name: string, text: string): Promise<void> =>
    writeFile(join(folder, name), text);

  test("are read from both styles together", async () => {
    await list("sources.list.d/debian.sources", deb822);
    await list(
      "sources.list",
      "deb http://sec.example/debian-security bookworm-security main\n",
    );
    expect(await readHostMirrors("bookworm", folder)).toEqual({
      archive: "http://mirror.example/debian",
      security: "http://sec.example/debian-security",
      origin: "host",
    });
  });

  test("of another Debian release serve this one too", async () => {
    await list(
      "sources.list",
      "deb http://mirror.example/debian trixie main\ndeb http://mirror.example/debian-security trixie-security main\n",
    );
    expect(await readHostMirrors("bookworm", folder)).toMatchObject({
      archive: "http://mirror.example/debian",
      security: "http://mirror.example/debian-security",
    });
  });

  test("the release's own entry goes before another's", async () => {
    await list(
      "sources.list",
      "deb http://new.example/debian trixie main\ndeb http://old.example/debian bookworm main\n",
    );
    expect(await readHostMirrors("bookworm", folder)).toMatchObject({
      archive: "http://old.example/debian",
      security: publicMirrors.security,
    });
  });

  test.each([
    ["another distribution", "deb http://archive.example/ubuntu noble main"],
    ["a third party", "deb https://packages.example/tool/debian stable tool"],
    ["media that a guest can't reach", "deb file:/srv/debian bookworm main"],
    ["nothing", ""],
  ])("%s: the public mirror", async (_, text) => {
    await list("sources.list", `${text}\n`);
    expect(await readHostMirrors("bookworm", folder)).toEqual(publicMirrors);
  });

  test("no apt at all: the public mirror", async () => {
    expect(await readHostMirrors("bookworm", join(folder, "none"))).toEqual(
      publicMirrors,
    );
  });
});

test("proxy settings are taken from apt's own dump, exceptions for single hosts included", () => {
  const dump = `APT "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::http::Proxy::mirror.example "DIRECT";
Acquire::https::proxy "";
Acquire::http::Pipeline-Depth "5";
Acquire::https::Proxy "http://proxy.example:3128";`;
  const proxies = proxySettings(dump);
  expect(proxies).toEqual([
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::http::Proxy::mirror.example "DIRECT";',
    'Acquire::https::Proxy "http://proxy.example:3128";',
  ]);
  expect(aptConf(proxies)).toContain(proxies.join("\n"));
});

test("the image gets release, updates and security", () => {
  const sources = parseListFile(sourcesList(publicMirrors, "bookworm"));
  expect(sources.map(({ suites }) => suites[0])).toEqual([
    "bookworm",
    "bookworm-updates",
    "bookworm-security",
  ]);
});
