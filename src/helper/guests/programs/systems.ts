/*
 * The systems that a guest may be, beside each other: what is done by programs of theirs, where things lie in them and what
 * they can do. Whoever has to tell them apart asks here, so that a third one is a row of this table.
 */
import type { GuestSystem } from "../../../protocol/images.ts";
import { linuxPrograms } from "./linux.ts";
import type { GuestPrograms } from "./program.ts";
import { windowsPrograms } from "./windows.ts";

/** What is done with a system's images and machines; where it can't, there is another way or a refusal. */
export interface SystemAbilities {
  /** A foreign disk of it can be read on the host and prepared by booting it once; else it is taken as it is. */
  readonly prepare: boolean;
  /** Each clone makes its account and takes on who it is from a seed, whatever its image. */
  readonly seed: boolean;
  /** Its images may leave the computer that made them. */
  readonly share: boolean;
}

export interface System {
  readonly programs: GuestPrograms;
  /** Where a user's files are, as the guest spells it. */
  readonly homeFolder: (user: string) => string;
  readonly can: SystemAbilities;
}

export const systems: Readonly<Record<GuestSystem, System>> = {
  linux: {
    programs: linuxPrograms,
    homeFolder: (user) => (user === "root" ? "/root" : `/home/${user}`),
    can: { prepare: true, seed: true, share: true },
  },
  windows: {
    programs: windowsPrograms,
    homeFolder: (user) => `C:\\Users\\${user}`,
    can: { prepare: false, seed: false, share: false },
  },
};

/** By the id that an agent gives: that of os-release(5), and `mswindows` of Windows. */
export const systemOfAgent = (id: string): GuestSystem =>
  id === "mswindows" ? "windows" : "linux";
