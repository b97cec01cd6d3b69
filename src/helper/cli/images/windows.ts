import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Image } from "../../../protocol/images.ts";
import { importName } from "../../images/catalog/importName.ts";
import { inspectWindowsIso } from "../../images/windows/iso/inspectIso.ts";
import {
  type InstallPlan,
  planInstall,
} from "../../images/windows/install/plan.ts";
import { bytes } from "../terminal/format.ts";
import { showImage } from "../terminal/progress.ts";
import { type Session, withHelper } from "../terminal/session.ts";

interface InstallFlags {
  readonly json?: boolean;
  readonly iso?: string;
  readonly disk?: string;
  readonly checksum?: string;
  readonly passwordFile?: string;
  readonly key?: string;
  readonly virtioIso: string;
  readonly edition?: string;
  readonly language?: string;
  readonly name?: string;
  readonly user?: string;
  readonly openssh?: string;
}

/** `guesthouse image windows`. */
export function addWindows(image: Command): void {
  image
    .command("windows")
    .description(
      "install Windows from your ISO, or prepare a disk that has it, and make an image of that (unverified on Windows: see docs/windows.md)",
    )
    .addOption(
      new Option("--iso <file>", "an installation ISO of Windows").conflicts([
        ...["disk", "checksum", "passwordFile", "key"],
      ]),
    )
    .addOption(
      new Option(
        "--disk <file>",
        "a disk with Windows (qcow2, raw, vmdk, vhdx, vdi): it is started and prepared by the same steps; guesthouse image import --os windows takes one as it is",
      ).conflicts(["edition", "language"]),
    )
    .option("--checksum <digest>", "sha256:… or sha512:… of the disk's file")
    .option(
      "--password-file <file>",
      "password of --user in that disk, for its SSH server where no agent answers",
    )
    .option("--key <file>", "a private key for the same")
    .requiredOption(
      "--virtio-iso <file>",
      "the ISO of the virtio drivers (virtio-win.iso), which brings the guest agent too",
    )
    .option(
      "--edition <edition>",
      "number, id or name of an edition in the ISO",
    )
    .option("--language <language>", "of Windows, as the ISO has it: en-US")
    .option("-n, --name <name>", "name of the image")
    .option("-u, --user <name>", "the account in Windows (default: dev)")
    .option(
      "--openssh <file>",
      "the package of the OpenSSH server (default: downloaded)",
    )
    .option("--json", "print JSON")
    .action(async (flags: InstallFlags) =>
      withHelper(
        flags,
        (session) =>
          flags.disk === undefined
            ? installed(session, flags)
            : prepared(session, flags, flags.disk),
        ({ name, sizeBytes = 0 }) =>
          `Image ${name} is ready (${bytes(sizeBytes)}): Windows itself verified its steps. Clones of it are unverified on Windows.`,
      ),
    );
}

async function installed(
  { client, progress, signal }: Session,
  flags: InstallFlags,
): Promise<Image> {
  const { edition, language, user } = flags;
  if (flags.iso === undefined) throw mediumNeeded();
  const iso = resolve(flags.iso);
  const plan = planInstall(await inspectWindowsIso(iso), flags);
  const { name } = plan;
  progress.print(planText(plan));
  const params = {
    ...{ iso, name },
    ...mediaOf(flags),
    ...given({ edition, language, user }),
  };
  return whole({ client, progress, signal }, name, () =>
    client.call("images.installWindows", params, signal),
  );
}

async function prepared(
  session: Session,
  flags: InstallFlags,
  file: string,
): Promise<Image> {
  const { client, progress, signal } = session;
  const { user, checksum, passwordFile, key } = flags;
  const disk = resolve(file);
  const name = importName(flags.name, disk);
  progress.print(
    `Preparing ${visible(disk)} as image ${name}. Your file is only read.\n${unverified}`,
  );
  const params = {
    ...{ disk, name },
    ...mediaOf(flags),
    ...given({ user, checksum }),
    ...(passwordFile === undefined && key === undefined
      ? {}
      : {
          login: {
            ...(passwordFile === undefined
              ? {}
              : { passwordFile: resolve(passwordFile) }),
            ...(key === undefined ? {} : { keyFile: resolve(key) }),
          },
        }),
  };
  return whole(session, name, () =>
    client.call("images.prepareWindows", params, signal),
  );
}

const mediaOf = ({
  virtioIso,
  openssh,
}: InstallFlags): { drivers: string; openSsh?: string } => ({
  drivers: resolve(virtioIso),
  ...(openssh === undefined ? {} : { openSsh: resolve(openssh) }),
});

/** Shows how far it is, and ends it when this command is interrupted: by itself it would go on. */
async function whole(
  { client, progress, signal }: Pick<Session, "client" | "progress" | "signal">,
  name: string,
  work: () => Promise<{ readonly image: Image }>,
): Promise<Image> {
  let screen: string | undefined;
  client.onNotice("images.changed", ({ image }) => {
    if (image.name !== name || image.state.kind !== "working") return;
    if (image.state.screen !== screen && image.state.screen !== undefined) {
      ({ screen } = image.state);
      progress.print(`Its screen: VNC on the unix socket ${screen}\n`);
    }
    showImage(progress, image);
  });
  try {
    return (await work()).image;
  } catch (error) {
    if (signal.aborted) await client.call("images.cancel", { name });
    throw error;
  }
}

const planText = ({ name, edition, language, user }: InstallPlan): string =>
  `Installing ${visible(edition.name)} (${visible(edition.version ?? "version unknown")}, ${language}) as image ${name}, account ${visible(user)}.\n${unverified}`;

const unverified =
  "Unverified on Windows: nobody who wrote this could run it there.\n";

const mediumNeeded = (): Error =>
  refused("request.invalid", "Windows comes from an ISO or on a disk.", {
    remedy: "Give --iso to install it, or --disk to prepare one that has it.",
  });
