import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  answerMedium,
  mediumFiles,
} from "../../../../src/helper/images/windows/answers/medium.ts";
import { readScriptSources } from "../../../../src/helper/images/windows/steps/scripts.ts";

/** An answer medium as it is made for an installation. */
export async function answerCd(): Promise<{
  medium: Buffer;
  answerFile: Buffer;
}> {
  const openSsh = Buffer.alloc(300_001, "an installer ");
  const made = mediumFiles(
    {
      architecture: "amd64",
      language: "en-US",
      editionIndex: 1,
      computerName: "GUESTHOUSE",
      user: "dev",
      password: "pass & <word>",
      driverSystems: ["w11"],
      tpm: true,
      authorizedKeys: ["ssh-ed25519 AAAA"],
      viosock: false,
      openSsh,
    },
    await readScriptSources(join(import.meta.dirname, "../../../../resources")),
    {
      sha256: createHash("sha256").update(openSsh).digest("hex"),
      file: "OpenSSH-Win64.msi",
    },
  );
  const xml = made.find(({ name }) => name === "autounattend.xml");
  return {
    medium: answerMedium(made),
    answerFile: Buffer.from(xml?.content ?? ""),
  };
}
