import type { Log } from "../../../../base/log.ts";
import type { Accelerator } from "../../../../protocol/host.ts";
import type { Architecture } from "../../../../protocol/images.ts";
import {
  type WindowsVmSpec,
  windowsQemuArguments,
} from "../../../qemu/windowsCommandLine.ts";
import type { Layout } from "../../../store/layout.ts";
import type { Http } from "../../../net/http.ts";
import type { ImageStore } from "../../golden/store.ts";
import { openSshPackage } from "../steps/openSsh.ts";

/** What installing Windows needs of the rest. */
export interface InstallHost extends InstallSettings {
  readonly layout: Layout;
  /** The product's `resources/`. */
  readonly resources: string;
  readonly store: ImageStore;
  readonly http: Http;
  /** Of this host. */
  readonly architecture: Architecture;
  readonly accelerator: (signal: AbortSignal) => Promise<Accelerator>;
  readonly log: Log;
}

/** What a test sets otherwise. */
export interface InstallSettings {
  /** Between two looks at an installation. */
  readonly pollMs: number;
  /** See `InstallRules`. */
  readonly stallMs: number;
  readonly giveUpMs: number;
  readonly reachMs: number;
  /** For how long a disk's agent is waited for before SSH is tried. */
  readonly sshAfterMs: number;
  /** For the agent's answers; with nobody there a look takes this long. */
  readonly agentTimeoutMs: number;
  /** For Windows to switch itself off at the end. */
  readonly offTimeoutMs: number;
  readonly diskBytes: number;
  /** Room on the host's disk without which nothing is begun. */
  readonly roomBytes: number;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly openSsh: {
    readonly url: string;
    readonly sha256: string;
    readonly file: string;
  };
  readonly qemuArguments: (spec: WindowsVmSpec) => string[];
}

const GiB = 2 ** 30;
const minute = 60_000;

/** 64 GB of disk and 4 GB of memory are what Windows 11 asks for. */
export const usualInstall: InstallSettings = {
  pollMs: 3_000,
  stallMs: 20 * minute,
  giveUpMs: 60 * minute,
  reachMs: 30 * minute,
  sshAfterMs: 5 * minute,
  agentTimeoutMs: 3_000,
  offTimeoutMs: 15 * minute,
  diskBytes: 64 * GiB,
  roomBytes: 32 * GiB,
  cpus: 2,
  memoryMiB: 4096,
  openSsh: openSshPackage,
  qemuArguments: windowsQemuArguments,
};
