import * as z from "zod";
import { withDeadline } from "../../../base/deadline.ts";
import { refused, toFailure } from "../../../protocol/failure.ts";
import { guestJson, maxListed } from "../agent/guestAnswer.ts";
import { withGuest, type GuestOperations } from "../programs/operations.ts";
import { type HandoffOutcome, noAnswer } from "./handoff.ts";
import {
  failedPartSchema,
  type FailedPart,
  type HandoffIdentity,
} from "./message.ts";
import { protectPath } from "../programs/windows.ts";
import { windowsProgram } from "../programs/powershellProgram.ts";

/** What a Windows guest takes on. Its network card and name stay as they are: see docs/windows-clones.md. */
export type WindowsIdentity = Pick<HandoffIdentity, "user" | "hostKey">;

/**
 * Host key, certificate of Remote Desktop, and whether sshd identifies itself. Nothing is restarted that is right
 * already: at a later boot of the same machine this only looks.
 */
const takeOn = String.raw`${protectPath}
$failed = New-Object Collections.ArrayList
function Invoke-Part([string]$What, [ScriptBlock]$Work) {
  try { & $Work | Out-Null } catch { [void]$failed.Add(@{ what = $What; why = $_.Exception.Message }) }
}
function Test-Sshd {
  $client = New-Object Net.Sockets.TcpClient
  try {
    $client.Connect('127.0.0.1', 22)
    $client.ReceiveTimeout = 10000
    return (New-Object IO.StreamReader($client.GetStream())).ReadLine() -like 'SSH-2.0-*'
  } catch {
    return $false
  } finally {
    $client.Dispose()
  }
}
$folder = Join-Path $env:ProgramData 'ssh'
$ours = Join-Path $folder 'ssh_host_ed25519_key'
$present = if (Test-Path -LiteralPath $ours) { [IO.File]::ReadAllText($ours) } else { '' }
if ($null -ne $Values.hostKey -and $present -ne $Values.hostKey.private) {
  Invoke-Part 'hostKey' {
    Write-Protected $ours $Values.hostKey.private
    Write-Protected "$ours.pub" "$($Values.hostKey.public)$([char]10)"
    Get-ChildItem -LiteralPath $folder -Filter 'ssh_host_*' |
      Where-Object { $_.Name -notin @('ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub') } | Remove-Item -Force
    Restart-Service -Name sshd -Force
  }
  Invoke-Part 'remoteDesktop' {
    Get-ChildItem -Path 'Cert:\LocalMachine\Remote Desktop' -ErrorAction SilentlyContinue | Remove-Item -Force
    # It makes itself a certificate where it finds none.
    $service = Get-Service -Name SessionEnv -ErrorAction SilentlyContinue
    if ($null -ne $service -and $service.Status -eq 'Running') { Restart-Service -Name SessionEnv -Force }
  }
}
$sshd = Test-Sshd
for ($i = 0; -not $sshd -and $i -lt 20; $i++) {
  Start-Sleep -Milliseconds 500
  $sshd = Test-Sshd
}
ConvertTo-Json -InputObject @{ failed = @($failed); sshd = $sshd } -Depth 4 -Compress`;

const answerSchema = z.object({
  failed: z.array(failedPartSchema).max(maxListed),
  sshd: z.boolean(),
});

/** An agent that is there answers within a second, even emulated. */
const agentCallMs = 3_000;

/**
 * Gives a Windows guest its identity by its agent, after a resume and at a boot: clock, the user's key, host key, certificate of
 * Remote Desktop. May be repeated. A guest that doesn't answer, or not to all of it, is an outcome; throws only the
 * signal's reason. Unverified on Windows.
 */
export async function applyToWindows(
  agentSocket: string,
  identity: WindowsIdentity,
  { timeoutMs }: { readonly timeoutMs: number },
  signal?: AbortSignal,
): Promise<HandoffOutcome> {
  try {
    return await withDeadline(
      "the handoff through the guest agent",
      timeoutMs,
      (within) =>
        withGuest(
          agentSocket,
          {
            ...{ expected: "windows", tries: 5 },
            timeoutMs: Math.min(agentCallMs, timeoutMs),
          },
          (guest) => apply(guest, identity, within),
          within,
        ),
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    return noAnswer(error, timeoutMs);
  }
}

async function apply(
  guest: GuestOperations,
  { user, hostKey }: WindowsIdentity,
  signal: AbortSignal | undefined,
): Promise<HandoffOutcome> {
  const startedAt = performance.now();
  const applied: string[] = [];
  const failed: FailedPart[] = [];
  /** What one part is refused is no reason to leave out the others; without the agent there are none. */
  const part = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
      applied.push(what);
    } catch (error) {
      signal?.throwIfAborted();
      // With a broken connection everything begins anew.
      await guest.ping(signal);
      failed.push({ what, why: toFailure(error).message });
    }
  };
  await part("timeNs", () => guest.setTime(new Date(), signal));
  if (user !== undefined)
    await part("user", () =>
      guest.authorizeKeys(user.name, user.authorizedKeys, signal),
    );
  let sshd = false;
  await part("hostKey", async () => {
    const program = windowsProgram(
      takeOn,
      hostKey === undefined ? {} : { hostKey },
    );
    const { stdout } = await guest.run(
      "taking on its identity",
      program,
      signal,
    );
    const answer = guestJson("taking on its identity", answerSchema, stdout);
    failed.push(...answer.failed);
    ({ sshd } = answer);
  });
  const report = {
    by: "agent",
    applied: applied.filter((what) => failed.every((one) => one.what !== what)),
    tookMs: performance.now() - startedAt,
    clockOffsetMs: 0,
    sshd,
  } as const;
  return failed.length === 0
    ? { kind: "applied", ...report }
    : { kind: "partly", ...report, failed };
}

const rename =
  "Rename-Computer -NewName $Values.name -Force -WarningAction SilentlyContinue";

/** What NetBIOS takes; Windows would cut a longer one. Digits alone it refuses. */
const computerName = /^(?!\d+$)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/i;

/**
 * Gives Windows another computer name, which it takes on at its next start. Refuses with `machines.badRequest` what can't
 * be one; throws `machines.notReady` when the guest can't be asked. Unverified on Windows.
 */
export async function renameWindows(
  agentSocket: string,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  if (!computerName.test(name))
    throw refused(
      "machines.badRequest",
      `“${name}” can't be the name of a computer with Windows.`,
      {
        remedy:
          "Use letters, digits and hyphens, 15 at most, and not only digits.",
      },
    );
  await withGuest(
    agentSocket,
    { expected: "windows", timeoutMs: agentCallMs },
    (guest) =>
      guest.run("its new name", windowsProgram(rename, { name }), signal),
    signal,
  );
}

/** All of the scripts, for whoever checks them. */
export const windowsIdentityScripts = { takeOn, rename };
