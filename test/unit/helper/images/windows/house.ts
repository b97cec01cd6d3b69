import { join } from "node:path";
import {
  readScriptSources,
  type WindowsValues,
} from "../../../../../src/helper/images/windows/steps/scripts.ts";

export const root = join(import.meta.dirname, "../../../../..");

export const sources = await readScriptSources(join(root, "resources"));

export const values: WindowsValues = {
  computerName: "GUESTHOUSE",
  user: "dev",
  language: "en-US",
  editionId: "Professional",
  authorizedKeys: ["ssh-ed25519 AAAA guesthouse"],
  tpm: true,
  viosock: true,
  driverSystems: ["w11", "2k22"],
  openSsh: { file: "OpenSSH-Win64.msi", sha256: "ab".repeat(32) },
};
