import type { AgentCall, ContractLine } from "./contractLine.ts";

const line = (
  call: AgentCall,
  title: string,
  asked: string,
  judged: string,
): ContractLine => ({
  ...{ id: `agent.${call}`, title, system: "any", asked, judged },
  question: { by: "agent", call },
});

/** What every guest must keep, whatever runs in it. */
export const linesOfAll: readonly ContractLine[] = [
  line(
    "commands",
    "The agent takes every command that Guesthouse can't do without",
    "guest-info",
    "guest-exec, guest-file-*, guest-get-osinfo, guest-get-time, guest-set-time, guest-network-get-interfaces and guest-shutdown are there and enabled.",
  ),
  line(
    "resync",
    "Half a message of an earlier client is forgotten",
    '{"execute": "guest-pi, then guest-sync-delimited by the next client',
    "The next client is answered.",
  ),
  line(
    "exec",
    "A program's output and exit code arrive",
    "guest-exec hostname",
    "It prints one word and ends with code 0.",
  ),
  line(
    "files",
    "A file is written and read byte for byte",
    "guest-file-open, guest-file-write, guest-file-read of 100,000 random bytes",
    "The same bytes come back. The file is removed again.",
  ),
  line(
    "network",
    "The guest has its network card and its address",
    "guest-network-get-interfaces",
    "The card with the machine's MAC has the machine's address.",
  ),
  line(
    "clock",
    "The guest's clock is right",
    "guest-get-time",
    "It differs from the host's by no more than 5 s.",
  ),
  {
    id: "ssh.login",
    title: "The host key is the pinned one, and our key logs in",
    system: "any",
    asked: "whoami",
    judged: "It prints a name and ends with code 0.",
    question: { by: "ssh", command: "whoami", expect: /^\S+$/ },
  },
  {
    id: "ssh.sftp",
    title: "A file keeps its bytes and line ends over SFTP",
    system: "any",
    asked: "a file with LF and CRLF, sent to the user's folder and fetched",
    judged: "The same bytes come back. The file is removed again.",
    question: { by: "sftp" },
  },
];
