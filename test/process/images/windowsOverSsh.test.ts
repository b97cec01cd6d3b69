import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type AuthContext } from "ssh2";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  beginBySsh,
  resultsBySsh,
  type SshAccess,
} from "../../../src/helper/images/windows/install/overSsh.ts";
import {
  decodedScript,
  scriptFile,
} from "../../../src/helper/guests/programs/powershell.ts";
import {
  scriptNames,
  windowsScripts,
} from "../../../src/helper/images/windows/steps/scripts.ts";
import {
  ensureUserKey,
  generateHostKey,
  publicKeyBody,
} from "../../../src/helper/ssh/keys.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";
import {
  hasFile,
  isGuarded,
  putFile,
  readText,
  removeGuest,
  type WindowsGuest,
  windowsGuest,
} from "../../fakes/windows/guest.ts";
import { play } from "../../fakes/windows/play.ts";
import { sources, values } from "../../unit/helper/images/windows/house.ts";
import { resources } from "./windowsPlayer.ts";

/*
 * The far end is an SSH server by ssh2 before a played Windows: what arrives as a command and as its input is what PowerShell
 * would get, and the guest's state is what it makes of that.
 */

interface Asked {
  readonly command: string;
  readonly values: Record<string, unknown>;
}

let folder: string;
let server: ssh2.Server | undefined;
let asked: Asked[];
let logins: string[];
/** Whether somebody comes in. */
let lets: (context: AuthContext) => boolean;
let windows: WindowsGuest;
const never = new AbortController().signal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-ssh-"));
  [asked, logins] = [[], []];
  lets = (context) =>
    context.method === "password" && context.password === "s3cret pass";
  windows = windowsGuest(join(folder, "drives"));
  server = undefined;
});
afterEach(async () => {
  server?.close();
  removeGuest(windows);
  await rm(folder, { recursive: true, force: true });
});

async function access(login: SshAccess["login"]): Promise<SshAccess> {
  const made = new ssh2.Server(
    { hostKeys: [generateHostKey().privateKey] },
    (client) => {
      client.on("error", () => undefined);
      client.on("authentication", (context) => {
        logins.push(`${context.username} ${context.method}`);
        if (lets(context)) context.accept();
        else context.reject(["password", "publickey"]);
      });
      client.on("session", (accept) => {
        accept().on("exec", (acceptExec, _, { command }) => {
          const stream = acceptExec();
          let input = "";
          stream.on("data", (chunk: Buffer) => (input += chunk.toString()));
          stream.on("end", () => {
            const [, ...args] = command.split(" ");
            const { code, stdout, stderr } = play(windows, args, input);
            const given = JSON.parse(input) as Pick<Asked, "values">;
            asked.push({ command, values: given.values });
            stream.write(stdout);
            stream.stderr.write(stderr);
            stream.exit(code);
            stream.end();
          });
        });
      });
    },
  );
  server = made;
  await new Promise<void>((done) => {
    made.listen(0, "127.0.0.1", done);
  });
  const { port } = made.address() as AddressInfo;
  const identity = layoutOf(folder).ssh;
  return { port, user: "ada", login, identity };
}

/** The CD with the steps of a disk that came with Windows, as drive `letter`. */
function insertMedium(letter: string, preparation: string): void {
  putFile(windows, `${letter}:\\guesthouse.tag`, "manifest\r\n");
  const scripts = windowsScripts(
    {
      ...{ ...values, computerName: "", language: "", driverSystems: [] },
      preparation,
    },
    sources,
  );
  for (const name of scriptNames)
    putFile(windows, `${letter}:\\${name}.ps1`, scriptFile(scripts[name]));
}

const at = String.raw`C:\ProgramData\Guesthouse`;

const passwordIn = async (text: string): Promise<string> => {
  const path = join(folder, "password");
  await writeFile(path, text, { mode: 0o600 });
  return path;
};

test("the steps are begun by a password, which stands in no command line", async () => {
  const inside = await access({
    passwordFile: await passwordIn("s3cret pass\n"),
  });
  insertMedium("E", "0123abcd");
  // What an earlier preparation of this disk left.
  putFile(windows, `${at}\\begun`, "another one");
  putFile(windows, `${at}\\steps\\power.json`, "{}");
  putFile(windows, `${at}\\ready.json`, "{}");
  expect(await beginBySsh(inside, "0123abcd", never)).toBe(true);
  expect(asked).toHaveLength(1);
  expect(readText(windows, `${at}\\begun`)).toBe("0123abcd");
  for (const left of ["steps", "ready.json"])
    expect([left, hasFile(windows, `${at}\\${left}`)]).toEqual([left, false]);
  // The rounds belong to a task of the system, whose script is no more on the medium.
  expect([...windows.tasks.values()]).toEqual([
    expect.objectContaining({
      ...{ user: "S-1-5-18", atStartup: true, started: true },
      argument: expect.stringContaining(`"${at}\\first-logon.ps1"`) as string,
    }),
  ]);
  expect(readText(windows, `${at}\\first-logon.ps1`)).toBe(
    readText(windows, "E:\\first-logon.ps1"),
  );
  expect(isGuarded(windows, at)).toBe(true);
  expect(asked[0]?.values).toEqual({
    preparation: "0123abcd",
    marker: "guesthouse.tag",
  });
  expect(JSON.stringify(asked)).not.toContain("s3cret");
  const encoded = asked[0]?.command.split(" ").at(-1) ?? "";
  expect(decodedScript(encoded)).not.toMatch(/s3cret|0123abcd/);
});

test("once passwords are let in no more our own key reads the results", async () => {
  const inside = await access({
    passwordFile: await passwordIn("s3cret pass"),
  });
  await mkdir(inside.identity.folder, { recursive: true });
  const { publicKey } = await ensureUserKey(inside.identity);
  lets = (context) =>
    context.method === "publickey" &&
    context.key.data.toString("base64") === publicKeyBody(publicKey).base64;
  putFile(windows, `${at}\\round`, "1\r\n");
  putFile(
    windows,
    `${at}\\steps\\firewall.json`,
    JSON.stringify({
      ...{ id: "firewall", part: "Remediate", ok: false, reason: "Off." },
    }),
  );
  const results = await resultsBySsh({ resources }, inside, never);
  expect(results?.round).toBe(1);
  expect(results?.steps.get("firewall")).toMatchObject({ reason: "Off." });
  expect(logins).toEqual(
    expect.arrayContaining(["ada password", "ada publickey"]),
  );
  expect(asked[0]?.values["paths"]).toContain(`${at}\\ready.json`);
});

test("refused logins and scripts that fail are told in their own words; silence is silence", async () => {
  const inside = await access({ passwordFile: await passwordIn("wrong") });
  expect(await beginBySsh(inside, "0123abcd", never)).toMatchObject({
    refusal: expect.stringContaining("refuses the login of ada") as string,
  });
  lets = () => true;
  expect(await beginBySsh(inside, "0123abcd", never)).toEqual({
    refusal: expect.stringMatching(
      /^No drive from D: to I: is the medium/,
    ) as string,
  });
  // A medium from which nothing can be begun, by whatever `begin.ps1` says.
  putFile(windows, "D:\\guesthouse.tag", "manifest\r\n");
  putFile(windows, "D:\\begin.ps1", "throw 'by policy'");
  expect(await beginBySsh(inside, "0123abcd", never)).toEqual({
    refusal: expect.stringContaining("by policy") as string,
  });
  const keyFile = await passwordIn("no key at all");
  expect(
    await beginBySsh({ ...inside, login: { keyFile } }, "0123abcd", never),
  ).toMatchObject({ refusal: expect.stringContaining("key") as string });
  server?.close();
  expect(
    await beginBySsh({ ...inside, port: 1 }, "0123abcd", never),
  ).toBeUndefined();
});
