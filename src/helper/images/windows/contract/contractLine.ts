/** How a line is found out. Patterns are for what is printed, without the white space around it. */
export type Question =
  /** A call of the guest agent, by name; what it does and how it is judged is the code of the self-test. */
  | { readonly by: "agent"; readonly call: AgentCall }
  /** A script by PowerShell, started by the agent. */
  | {
      readonly by: "powershell";
      readonly script: string;
      readonly expect: RegExp;
      /** Default 0. */
      readonly code?: number;
    }
  /** A file, read by the agent. */
  | { readonly by: "file"; readonly path: string; readonly expect: RegExp }
  /** A command line over SSH. */
  | {
      readonly by: "ssh";
      readonly command: string;
      readonly expect: RegExp;
      readonly code?: number;
    }
  /** A file sent and fetched by SFTP. */
  | { readonly by: "sftp" }
  /** A step's own verification, out of one run for all. */
  | { readonly by: "step"; readonly step: string };

export type AgentCall =
  "commands" | "exec" | "files" | "network" | "resync" | "clock" | "system";

export interface ContractLine {
  readonly id: string;
  readonly title: string;
  readonly system: "any" | "windows";
  /** What is asked, for people. */
  readonly asked: string;
  /** What the answer must be, for people. */
  readonly judged: string;
  readonly question: Question;
}
