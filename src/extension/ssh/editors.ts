/** An extension that opens `ssh-remote+…` authorities, in one of the editors. */
export interface SshExtension {
  readonly id: string;
  /** `env.uriScheme` of the editors that offer it. */
  readonly editors: readonly string[];
}

/** All known ones; the last is for every other editor. */
export const sshExtensions: readonly SshExtension[] = [
  { id: "ms-vscode-remote.remote-ssh", editors: ["vscode", "vscode-insiders"] },
  { id: "anysphere.remote-ssh", editors: ["cursor"] },
  { id: "codeium.windsurf-remote-openssh", editors: ["windsurf"] },
  { id: "google.antigravity-remote-openssh", editors: ["antigravity"] },
  { id: "jeanp413.open-remote-ssh", editors: [] },
];

/** The one that is installed; undefined when none is. */
export const installedSshExtension = (
  isInstalled: (id: string) => boolean,
): SshExtension | undefined => sshExtensions.find(({ id }) => isInstalled(id));

/** The one to offer in this editor. */
export function sshExtensionFor(uriScheme: string): string {
  const own = sshExtensions.find(({ editors }) => editors.includes(uriScheme));
  return own?.id ?? "jeanp413.open-remote-ssh";
}
