export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** Proportional share where the system tells it (Linux), resident set elsewhere. */
  readonly memoryBytes: number;
}

/** What each system tells about processes. Undefined always means: there is no such process (any more). */
export interface ProcessTable {
  /** When the process started, in the system's own words; never the same for two processes with one number. */
  readonly startTime: (pid: number) => Promise<string | undefined>;
  /** Arguments where the system keeps them apart, else the whole line as one. */
  readonly commandLine: (pid: number) => Promise<readonly string[] | undefined>;
  readonly usage: (pid: number) => Promise<ProcessUsage | undefined>;
  /** Numbers of all processes of this user. */
  readonly mine: () => Promise<number[]>;
}
