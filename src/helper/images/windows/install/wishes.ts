import { access } from "node:fs/promises";
import { given } from "../../../../base/given.ts";
import { refused } from "../../../../protocol/failure.ts";
import { importName } from "../../catalog/importName.ts";
import { probeDiskFormat } from "../../disks/diskFormat.ts";
import { requireAccountName } from "../answers/answers.ts";
import { inspectWindowsIso } from "../iso/inspectIso.ts";
import { defaultUser, type InstallChoice, planInstall } from "./plan.ts";
import type { DiskOrigin, InstallRecord, IsoOrigin } from "./record.ts";

export interface InstallWish extends InstallChoice {
  readonly iso: string;
  /** ISO of virtio drivers and the guest agent. */
  readonly drivers: string;
  readonly openSsh?: string | undefined;
}

/** A disk that came with Windows, to be prepared by the same steps. */
export interface PrepareWish extends Pick<InstallChoice, "name" | "user"> {
  readonly disk: string;
  /** `sha256:…` or `sha512:…` of the file. */
  readonly checksum?: string | undefined;
  /** For SSH, where no agent answers. */
  readonly login?: DiskOrigin["login"];
  readonly drivers: string;
  readonly openSsh?: string | undefined;
}

/** What an installation is made of, whatever it starts from. */
export type InstallSource = Pick<
  InstallRecord,
  "name" | "user" | "origin" | "drivers" | "openSsh"
>;

/** Reads the ISO and chooses; throws `request.invalid` for what it doesn't have. */
export async function sourceOfIso(wish: InstallWish): Promise<InstallSource> {
  const plan = planInstall(await inspectWindowsIso(wish.iso), wish);
  const { index, name: title, editionId, version } = plan.edition;
  const origin: IsoOrigin = {
    kind: "iso",
    path: wish.iso,
    edition: {
      ...{ index, name: title },
      ...given({ editionId, version }),
    },
    language: plan.language,
    computerName: plan.computerName,
    driverSystems: [...plan.driverSystems],
  };
  return { name: plan.name, user: plan.user, origin, ...mediaOf(wish) };
}

/** Looks at the disk's own marks only; throws `request.invalid` for what can't be used. */
export async function sourceOfDisk(wish: PrepareWish): Promise<InstallSource> {
  const { disk: path, checksum, login, user = defaultUser } = wish;
  requireAccountName(user);
  for (const file of [login?.passwordFile, login?.keyFile])
    if (file !== undefined)
      await requireFile(file, "Give the file with the password or the key.");
  const origin: DiskOrigin = {
    ...{ kind: "disk", path, format: await probeDiskFormat(path) },
    ...given({ checksum, login }),
  };
  return { name: importName(wish.name, path), user, origin, ...mediaOf(wish) };
}

/** The same again, as it was wished for. */
export function sourceAgain(record: InstallRecord): Promise<InstallSource> {
  const { name, origin, user } = record;
  const wish = { name, user, ...mediaOf(record) };
  return origin.kind === "disk"
    ? sourceOfDisk({
        ...wish,
        disk: origin.path,
        checksum: origin.checksum,
        login: origin.login,
      })
    : sourceOfIso({
        ...wish,
        iso: origin.path,
        edition: String(origin.edition.index),
        language: origin.language,
      });
}

export const requireDrivers = (path: string): Promise<void> =>
  requireFile(
    path,
    "Give the ISO of the virtio drivers (virtio-win.iso), which brings the guest agent too.",
  );

const mediaOf = ({
  drivers,
  openSsh,
}: Pick<InstallWish, "drivers" | "openSsh">): Pick<
  InstallRecord,
  "drivers" | "openSsh"
> => ({ drivers, ...given({ openSsh }) });

async function requireFile(path: string, remedy: string): Promise<void> {
  try {
    await access(path);
  } catch {
    throw refused("request.invalid", `There is no file ${path}.`, { remedy });
  }
}
