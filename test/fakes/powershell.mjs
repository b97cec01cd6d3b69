// A guest with Windows at the far end of ssh, as far as workspaces ask it: `powershell.exe` of `node powershell.mjs <folder>
// -NoProfile … -EncodedCommand <base64>`. Takes a script and its values from its input, as Windows does, and plays what the
// script does by what it is known by. Paths of drives lie in the folder; its own memory does, too.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [root, ...args] = process.argv.slice(2);
const encoded = args[args.indexOf("-EncodedCommand") + 1] ?? "";
const bootstrap = Buffer.from(encoded, "base64").toString("utf16le");
if (!bootstrap.includes("[ScriptBlock]::Create($given.script)"))
  throw new Error(`not what takes a script: ${bootstrap}`);
const { script, values } = JSON.parse(readFileSync(0, "utf8"));

const file = join(root, "memory.json");
const memory = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : { marks: {}, logins: [], environment: [] };
const keep = () => writeFileSync(file, JSON.stringify(memory));
const here = (path) =>
  join(root, path.replaceAll("\\", "/").replace(/^c:/i, "C:"));
const variables = (listed) =>
  Object.fromEntries(
    listed
      .filter(({ value }) => value !== null)
      .map(({ name, value }) => [name, value]),
  );

if (script.includes("LastBootUpTime")) {
  mkdirSync(here(values.target), { recursive: true });
  console.log(JSON.stringify({ bootId: "boot-1", marks: memory.marks }));
} else if (
  script.includes("SetEnvironmentVariable($one.name, $one.value, 'User')")
) {
  memory.logins = values.variables;
  keep();
  console.log(
    JSON.stringify({ Path: "C:\\Windows", ...variables(memory.logins) }),
  );
} else if (script.includes("done-$($Values.name)")) {
  memory.marks[values.name] = values.value;
  keep();
} else if (script.includes("'environment.json'), $Values.text")) {
  memory.environment = JSON.parse(values.text);
  keep();
} else if (script.includes("ProcessStartInfo")) {
  const { folder, secrets, command, program, arguments: line } = values;
  const { status } = spawnSync(
    "/bin/sh",
    ["-c", command ?? `${program} ${line}`],
    {
      cwd: here(folder),
      env: {
        ...process.env,
        ...variables([...memory.environment, ...secrets]),
      },
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  process.exit(status ?? 1);
} else throw new Error(`not known here: ${script}`);
