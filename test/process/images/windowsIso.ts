import { execa } from "execa";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const programs = ["genisoimage", "wimlib-imagex", "mformat", "mcopy"];

/** Programs that a stand-in for Windows' ISO is made with and that are missing here. */
export async function missingPrograms(): Promise<string[]> {
  const found = await Promise.all(
    programs.map((name) => execa("which", [name], { reject: false })),
  );
  return programs.filter((_, at) => found[at]?.exitCode !== 0);
}

export interface StandIn {
  readonly iso: string;
  readonly promptImage: Buffer;
  readonly noPromptImage: Buffer;
  readonly wim: string;
}

/**
 * An ISO of the shape of Microsoft's: UDF with what matters, an install.wim made by wimlib whose description has what
 * setup's own has, and boot images for BIOS and UEFI. Each boot image holds a script that firmware's shell runs, which
 * tells on the serial line which of them was started.
 */
export async function makeStandIn(
  folder: string,
  {
    withoutNoPrompt = false,
    folders = 0,
    noPrompt,
    files = {},
  }: {
    readonly withoutNoPrompt?: boolean;
    readonly folders?: number;
    /** Default: a script as the other boot image's. */
    readonly noPrompt?: Buffer;
    /** Beside Windows' own, by their paths. */
    readonly files?: Readonly<Record<string, Buffer>>;
  } = {},
): Promise<StandIn> {
  const tree = join(folder, "tree");
  const put = async (path: string, content: string | Buffer) => {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), content);
  };
  await put("README.TXT", "This disc contains a UDF file system.\n");
  await put("boot/etfsboot.com", Buffer.alloc(4096, 0x90));
  const boot = "efi/microsoft/boot";
  const promptImage = await bootImage(folder, "prompt");
  const noPromptImage = noPrompt ?? (await bootImage(folder, "noprompt"));
  await put(`${boot}/efisys.bin`, promptImage);
  if (!withoutNoPrompt) await put(`${boot}/efisys_noprompt.bin`, noPromptImage);
  for (let at = 0; at < folders; at++)
    await put(`sources/inf/a file with a long name ${String(at)} ü €.inf`, "x");
  for (const [path, content] of Object.entries(files)) await put(path, content);
  const wim = await installImage(folder);
  await mkdir(join(tree, "sources"), { recursive: true });
  await execa("cp", [wim, join(tree, "sources", "install.wim")]);
  const iso = join(folder, "windows stand-in.iso");
  await execa("genisoimage", [
    ...["-quiet", "-udf", "-iso-level", "3", "-allow-limited-size"],
    // Whatever the locale that the tests run in.
    ...["-input-charset", "utf-8"],
    ...["-V", "CCCOMA_X64FRE_EN-US_DV9", "-o", iso],
    ...["-b", "boot/etfsboot.com", "-no-emul-boot", "-boot-load-size", "8"],
    ...["-eltorito-alt-boot", "-e", `${boot}/efisys.bin`, "-no-emul-boot"],
    tree,
  ]);
  return { iso, promptImage, noPromptImage, wim };
}

async function bootImage(folder: string, word: string): Promise<Buffer> {
  const path = join(folder, `${word}.img`);
  const script = join(folder, `${word}.nsh`);
  await writeFile(script, `echo started by the ${word} loader\r\nreset -s\r\n`);
  await execa("mformat", ["-C", "-f", "1440", "-i", path, "::"]);
  await execa("mcopy", ["-i", path, script, "::startup.nsh"]);
  const { stdout } = await execa("cat", [path], { encoding: "buffer" });
  return Buffer.from(stdout);
}

async function installImage(folder: string): Promise<string> {
  const content = join(folder, "content");
  await mkdir(content, { recursive: true });
  await writeFile(join(content, "windows.txt"), "not Windows\n".repeat(5000));
  const wim = join(folder, "install.wim");
  const editions = [
    ["Windows 11 Home", "Core", "22631"],
    ["Windows 11 Pro für “alle”", "Professional", "26100"],
  ] as const;
  for (const [at, [name, editionId, build]] of editions.entries()) {
    await execa("wimlib-imagex", [
      at === 0 ? "capture" : "append",
      ...[content, wim, name],
      ...(at === 0 ? ["--compress=LZX"] : []),
    ]);
    const properties = {
      "WINDOWS/ARCH": "9",
      "WINDOWS/EDITIONID": editionId,
      "WINDOWS/INSTALLATIONTYPE": "Client",
      "WINDOWS/LANGUAGES/LANGUAGE[1]": "de-DE",
      "WINDOWS/LANGUAGES/LANGUAGE[2]": "en-US",
      "WINDOWS/LANGUAGES/DEFAULT": "en-US",
      "WINDOWS/VERSION/MAJOR": "10",
      "WINDOWS/VERSION/MINOR": "0",
      "WINDOWS/VERSION/BUILD": build,
      "WINDOWS/VERSION/SPBUILD": "1742",
    };
    await execa("wimlib-imagex", [
      ...["info", wim, String(at + 1)],
      ...Object.entries(properties).map(
        ([property, value]) => `--image-property=${property}=${value}`,
      ),
    ]);
  }
  return wim;
}
