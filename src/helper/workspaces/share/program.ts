import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The files of the guest's half, in the order in which the guest loads them: each imports only from those before it. */
export const programFiles = [
  ...["fuse", "frames", "host", "kernel", "tree", "filesystem", "names"],
  ...["files", "events", "mount", "loop", "main"],
] as const;

/** The guest's half from the folder `resources/guest/share`, in one piece, as `bootstrap` takes it. */
export async function readShareProgram(folder: string): Promise<Buffer> {
  const modules = await Promise.all(
    programFiles.map(async (name) => [
      `share.${name}`,
      await readFile(join(folder, `${name}.py`), "utf8"),
    ]),
  );
  return Buffer.from(JSON.stringify(modules), "utf8");
}

/**
 * Python that loads the program from standard input and runs its last module. Arguments: the program's length in bytes,
 * the settings as JSON, and the user's numbers. It reads no more than the program: what follows on the stream is for it.
 */
export const bootstrap = `import json, os, sys
text = b""
while len(text) < int(sys.argv[1]):
    text += os.read(0, int(sys.argv[1]) - len(text)) or sys.exit("its connection ended before it began")
for name, source in json.loads(text):
    module = sys.modules[name] = type(sys)(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(dict(json.loads(sys.argv[2]), uid=int(sys.argv[3]), gid=int(sys.argv[4])))`;
