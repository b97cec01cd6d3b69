import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type AuthContext } from "ssh2";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  beginBySsh,
  resultsBySsh,
  type SshWay,
} from "../../../src/helper/images/windows/install/sshWay.ts";
import { decodedScript } from "../../../src/helper/images/windows/powershell.ts";
import {
  ensureUserKey,
  generateHostKey,
  publicKeyBody,
} from "../../../src/helper/ssh/keys.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";
import { resources } from "./windowsPlayer.ts";

/*
 * The far end is an SSH server by ssh2, which plays Windows' shell: what arrives as a command and as its input is what
 * cmd.exe and PowerShell would get.
 */

interface Asked {
  readonly bootstrap: string;
  readonly script: string;
  readonly values: Record<string, unknown>;
}

let folder: string;
let server: ssh2.Server | undefined;
let asked: Asked[];
let logins: string[];
/** Whether somebody comes in. */
let lets: (context: AuthContext) => boolean;
let answer: { code: number; stdout?: string; stderr?: string };
const never = new AbortController().signal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-ssh-"));
  [asked, logins] = [[], []];
  lets = (context) =>
    context.method === "password" && context.password === "s3cret pass";
  answer = { code: 0 };
  server = undefined;
});
afterEach(async () => {
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

async function way(login: SshWay["login"]): Promise<SshWay> {
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
            const bootstrap = decodedScript(command.split(" ").at(-1) ?? "");
            const given = JSON.parse(input) as Omit<Asked, "bootstrap">;
            asked.push({ bootstrap, ...given });
            stream.write(answer.stdout ?? "");
            stream.stderr.write(answer.stderr ?? "");
            stream.exit(answer.code);
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

const passwordIn = async (text: string): Promise<string> => {
  const path = join(folder, "password");
  await writeFile(path, text, { mode: 0o600 });
  return path;
};

test("the steps are begun by a password, which stands in no command line", async () => {
  const inside = await way({ passwordFile: await passwordIn("s3cret pass\n") });
  expect(await beginBySsh(inside, "0123abcd", never)).toBe(true);
  expect(asked).toHaveLength(1);
  expect(asked[0]?.bootstrap).toContain("ConvertFrom-Json");
  expect(asked[0]?.script).toContain("begin.ps1");
  expect(asked[0]?.values).toEqual({
    preparation: "0123abcd",
    marker: "guesthouse.tag",
  });
  expect(JSON.stringify(asked)).not.toContain("s3cret");
});

test("once passwords are let in no more our own key reads the results", async () => {
  const inside = await way({ passwordFile: await passwordIn("s3cret pass") });
  await mkdir(inside.identity.folder, { recursive: true });
  const { publicKey } = await ensureUserKey(inside.identity);
  lets = (context) =>
    context.method === "publickey" &&
    context.key.data.toString("base64") === publicKeyBody(publicKey).base64;
  const at = String.raw`C:\ProgramData\Guesthouse`;
  answer = {
    code: 0,
    stdout: JSON.stringify({
      [`${at}\\round`]: "1\r\n",
      [`${at}\\steps\\firewall.json`]: JSON.stringify({
        ...{ id: "firewall", part: "Remediate", ok: false, reason: "Off." },
      }),
    }),
  };
  const results = await resultsBySsh({ resources }, inside, never);
  expect(results?.round).toBe(1);
  expect(results?.steps.get("firewall")).toMatchObject({ reason: "Off." });
  expect(logins).toEqual(
    expect.arrayContaining(["ada password", "ada publickey"]),
  );
  expect(asked[0]?.values["paths"]).toContain(`${at}\\ready.json`);
});

test("refused logins and scripts that fail are told in their own words; silence is silence", async () => {
  const inside = await way({ passwordFile: await passwordIn("wrong") });
  expect(await beginBySsh(inside, "0123abcd", never)).toMatchObject({
    refusal: expect.stringContaining("refuses the login of ada") as string,
  });
  lets = () => true;
  answer = { code: 1, stderr: "No drive from D: to I: is the medium." };
  expect(await beginBySsh(inside, "0123abcd", never)).toEqual({
    refusal: "No drive from D: to I: is the medium.",
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
