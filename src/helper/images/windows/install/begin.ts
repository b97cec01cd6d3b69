import { given } from "../../../../base/given.ts";
import { GuesthouseError } from "../../../../protocol/failure.ts";
import type { GuestAgent } from "../../../guests/agent/agent.ts";
import { windowsProgram } from "../../../guests/programs/powershellProgram.ts";
import type { InstallFiles } from "../../../store/layout.ts";
import { beginMs, beginning } from "./beginning.ts";
import { asked, type Following, textOf } from "./follow.ts";
import type { InstallHost } from "./host.ts";
import type { InstallRecord } from "./record.ts";
import { guesthouseFolder } from "./results.ts";
import { beginBySsh, resultsBySsh } from "./overSsh.ts";
import type { InstallSight } from "./watch.ts";

/** How a disk that came with Windows is reached; nothing for an installation, which begins by itself. */
export function accessTo(
  host: InstallHost,
  { id, origin, user, sshPort: port }: InstallRecord,
  files: InstallFiles,
): Pick<Following, "begin" | "resultsOtherwise"> {
  if (origin.kind === "iso") return {};
  const begin = (signal: AbortSignal): Promise<InstallSight["begun"]> =>
    beginByAgent(host, files, id, signal);
  const { login } = origin;
  if (login === undefined || port === undefined) return { begin };
  const target = { port, user, login, identity: host.layout.ssh };
  const sinceMs = performance.now();
  return {
    begin: async (signal) => {
      const begun = await begin(signal);
      if (begun === true || performance.now() - sinceMs < host.sshAfterMs)
        return begun;
      return (await beginBySsh(target, id, signal)) ?? begun;
    },
    resultsOtherwise: (signal) => resultsBySsh(host, target, signal),
  };
}

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
    return begin(agent, preparation, signal);
  });

const begunMark = `${guesthouseFolder}\\begun`;

async function begin(
  agent: GuestAgent,
  preparation: string,
  signal: AbortSignal,
): Promise<InstallSight["begun"]> {
  const { argv, input } = windowsProgram(...beginning(preparation));
  try {
    const { code, stdout, stderr } = await agent.exec(
      argv,
      { ...given({ input }), timeoutMs: beginMs },
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
