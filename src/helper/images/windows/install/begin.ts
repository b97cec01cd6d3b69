import { GuesthouseError } from "../../../../protocol/failure.ts";
import type { GuestAgent } from "../../../guests/agent.ts";
import { windowsProgram } from "../../../guests/windowsScript.ts";
import type { InstallFiles } from "../../../store/layout.ts";
import { markerFile } from "../scripts.ts";
import { asked, textOf } from "./follow.ts";
import type { InstallHost } from "./host.ts";
import { guesthouseFolder } from "./results.ts";
import type { InstallSight } from "./watch.ts";

/** Finds the medium by its marker, whatever letter it got, and lets its `begin.ps1` do the rest. */
export const beginScript = `# What a program writes as an error would end this script before its code is known.
$ErrorActionPreference = 'Continue'
$medium = @('D', 'E', 'F', 'G', 'H', 'I') | ForEach-Object { "\${_}:\\" } |
  Where-Object { Test-Path -LiteralPath (Join-Path $_ $Values.marker) } | Select-Object -First 1
if ($null -eq $medium) { throw 'No drive from D: to I: is the medium with the steps.' }
$said = powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File (Join-Path $medium 'begin.ps1') 2>&1 | Out-String
if ($LASTEXITCODE -ne 0) { throw "begin.ps1: $said" }`;

/** PowerShell's first start on hardware that Windows sees for the first time takes its time. */
const beginMs = 180_000;

/**
 * Gets the steps begun by the guest agent, once: what an earlier helper began is left to itself. Undefined while no agent
 * answers. Unverified on Windows.
 */
export const beginByAgent = (
  host: Pick<InstallHost, "agentTimeoutMs">,
  files: Pick<InstallFiles, "agentSocket">,
  preparation: string,
  signal: AbortSignal,
): Promise<InstallSight["begun"]> =>
  asked(host, files, signal, async (agent) => {
    const mark = await textOf(agent, begunMark, signal);
    if (mark?.trim() === preparation) return true;
    return begin(agent, signal);
  });

const begunMark = `${guesthouseFolder}\\begun`;

async function begin(
  agent: GuestAgent,
  signal: AbortSignal,
): Promise<InstallSight["begun"]> {
  const { argv, input } = windowsProgram(beginScript, { marker: markerFile });
  try {
    const { code, stdout, stderr } = await agent.exec(
      argv,
      { ...(input === undefined ? {} : { input }), timeoutMs: beginMs },
      signal,
    );
    if (code === 0) return true;
    const said = stderr.trim() || stdout.trim();
    return { refusal: said || `PowerShell ended with code ${String(code)}.` };
  } catch (error) {
    signal.throwIfAborted();
    // An agent may be told to run nothing; one that goes away meanwhile is asked again.
    if (error instanceof GuesthouseError && error.failure.kind === "refused")
      return { refusal: error.failure.message };
    throw error;
  }
}
