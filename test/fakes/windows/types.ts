/*
 * .NET's types as far as our scripts use them on a guest: what is called of a type itself, what is made by `New-Object`, and
 * casts. All of them act on the guest's state, and none is recognised by more than its name.
 */
import {
  type Acl,
  onHost,
  readBytes,
  readText,
  type WindowsGuest,
  writeBytes,
} from "./guest.ts";
import type { Session } from "./session.ts";
import { NotPlayed } from "./tree.ts";
import {
  type Bag,
  Failure,
  isBag,
  isNothing,
  isTrue,
  listOf,
  numberOf,
  textOf,
  thing,
} from "./values.ts";

type Args = readonly unknown[];
type Static = (session: Session, args: Args) => unknown;

const stream = ({ write }: Session, name: "stdout" | "stderr"): Bag =>
  thing({
    Write: (bytes: unknown, from: unknown, length: unknown) => {
      if (!Buffer.isBuffer(bytes)) throw new Failure("These are no bytes.");
      const start = numberOf(from);
      write(name, bytes.subarray(start, start + numberOf(length)));
    },
    Flush: () => undefined,
  });

const utf8 = thing({
  GetBytes: (text: unknown) => Buffer.from(textOf(text), "utf8"),
});

function setVariable(
  { variables, guest }: Session,
  [name, value, target]: Args,
): void {
  const kept =
    textOf(target) === "User"
      ? guest.userVariables
      : textOf(target) === "Process"
        ? variables
        : undefined;
  if (kept === undefined)
    throw new NotPlayed(`keeps no variables for “${textOf(target)}”`);
  // To .NET `$null` comes as an empty string, which takes a variable away.
  if (textOf(value) === "") kept.delete(textOf(name));
  else kept.set(textOf(name), textOf(value));
}

/** Windows 11, 24H2. */
const windowsBuild = 26_100;

const statics: Readonly<Record<string, Static>> = {
  "io.file.readalltext": ({ guest }, [path]) => readText(guest, textOf(path)),
  "io.file.readallbytes": ({ guest }, [path]) => readBytes(guest, textOf(path)),
  "io.file.writealltext": ({ guest }, [path, text]) =>
    writeBytes(guest, textOf(path), textOf(text)),
  "io.file.writealllines": ({ guest }, [path, all]) =>
    writeBytes(
      guest,
      textOf(path),
      listOf(all)
        .map((line) => `${textOf(line)}\r\n`)
        .join(""),
    ),
  "io.file.writeallbytes": ({ guest }, [path, bytes]) => {
    if (!Buffer.isBuffer(bytes)) throw new Failure("These are no bytes.");
    writeBytes(guest, textOf(path), bytes);
  },
  "convert.tobase64string": (_, [bytes]) => {
    if (!Buffer.isBuffer(bytes)) throw new Failure("These are no bytes.");
    return bytes.toString("base64");
  },
  "convert.frombase64string": (_, [text]) =>
    Buffer.from(textOf(text), "base64"),
  "text.encoding.utf8": () => utf8,
  "console.openstandardoutput": (session) => stream(session, "stdout"),
  "console.openstandarderror": (session) => stream(session, "stderr"),
  "scriptblock.create": ({ read }, [text]) => read(textOf(text)),
  "environment.setenvironmentvariable": setVariable,
  "datetimeoffset.fromunixtimemilliseconds": (_, [ms]) =>
    thing({ LocalDateTime: new Date(numberOf(ms)) }),
  "environment.osversion": () =>
    thing({ Version: thing({ Build: windowsBuild }) }),
  "diagnostics.process.start": (session, [info]) =>
    isBag(info)
      ? thing({
          ExitCode: runProgram(
            session,
            textOf(info["FileName"]),
            textOf(info["Arguments"]),
            textOf(info["WorkingDirectory"]),
          ),
          WaitForExit: () => undefined,
        })
      : undefined,
};

/** What a type has or does by itself. */
export function ofType(
  session: Session,
  type: string,
  name: string,
  args: Args = [],
): unknown {
  const known = statics[`${type}.${name.toLowerCase()}`];
  if (known === undefined) throw new NotPlayed(`knows no [${type}]::${name}`);
  return known(session, args);
}

export const programOf = (
  { programs }: WindowsGuest,
  name: string,
): string | undefined => {
  const bare = (each: string): string =>
    each.toLowerCase().replace(/\.exe$/, "");
  return [...programs.keys()].find((each) => bare(each) === bare(name));
};

/** Answers with the program's exit code. */
export function runProgram(
  { guest, variables, write }: Session,
  name: string,
  args: string,
  folder: string,
): number {
  const program = guest.programs.get(programOf(guest, name) ?? "");
  if (program === undefined)
    throw new Failure(`The system cannot find the file specified: ${name}`);
  return program({
    ...{ args, folder: onHost(guest, folder), variables },
    say: (text) => write("stdout", Buffer.from(text)),
  });
}

export const identity = (sid: string): Bag => thing({ Value: sid });

/** A file's security as scripts handle it; `state` is what they make of it. */
export interface AclObject extends Bag {
  readonly state: Acl;
}

export const aclObject = (state: Acl): AclObject =>
  thing({
    state,
    SetAccessRuleProtection: (isProtected: unknown, keeps: unknown) => {
      if (isTrue(keeps))
        throw new NotPlayed("keeps no inherited rules of a protected file");
      state.isProtected = isTrue(isProtected);
    },
    SetOwner: (who: unknown) => {
      state.owner = textOf(who);
    },
    AddAccessRule: (rule: unknown) => {
      if (isBag(rule) && rule["type"] === "Allow")
        state.allowed.push({
          who: textOf(rule["who"]),
          rights: textOf(rule["rights"]),
        });
      else throw new NotPlayed("knows only rules that allow something");
    },
  });

/** Nobody answers but sshd. */
function connect({ guest }: Session, host: unknown, port: unknown): void {
  if (textOf(host) !== "127.0.0.1" || numberOf(port) !== 22)
    throw new NotPlayed(`answers only on its own port 22`);
  if (guest.services.get("sshd")?.running !== true)
    throw new Failure("No connection could be made: it was actively refused.");
}

type Maker = (session: Session, args: Args) => unknown;
const makers: Readonly<Record<string, Maker>> = {
  "security.accesscontrol.filesecurity": () =>
    aclObject({ owner: "", isProtected: false, allowed: [] }),
  "security.accesscontrol.directorysecurity": () =>
    aclObject({ owner: "", isProtected: false, allowed: [] }),
  // Its last argument says whether it allows or denies; between may be what a folder hands on.
  "security.accesscontrol.filesystemaccessrule": (_, args) =>
    thing({ who: args[0], rights: args[1], type: textOf(args.at(-1)) }),
  "text.utf8encoding": (_, [marked]) => {
    if (isTrue(marked)) throw new NotPlayed("writes no byte order marks");
    return utf8;
  },
  "collections.arraylist": () => [],
  "net.sockets.tcpclient": (session, args) => {
    if (args.length > 0) connect(session, args[0], args[1]);
    return thing({
      ReceiveTimeout: 0,
      Connect: (host: unknown, port: unknown) => connect(session, host, port),
      GetStream: () => thing({ line: "SSH-2.0-OpenSSH_for_Windows_9.5" }),
      Dispose: () => undefined,
    });
  },
  "io.streamreader": (_, [from]) =>
    thing({ ReadLine: () => (isBag(from) ? from["line"] : null) }),
  "diagnostics.processstartinfo": (_, [FileName, Arguments]) =>
    thing({ FileName, Arguments, UseShellExecute: true, WorkingDirectory: "" }),
};

export function make(session: Session, type: string, args: Args): unknown {
  const maker = makers[type.toLowerCase().replace(/^system\./, "")];
  if (maker === undefined) throw new NotPlayed(`makes no ${type}`);
  return maker(session, args);
}

const casts: Readonly<Record<string, (value: unknown) => unknown>> = {
  string: textOf,
  void: () => undefined,
  int: (value) => Math.round(numberOf(value)),
  char: (value) => String.fromCharCode(numberOf(value)),
  bool: isTrue,
  "string[]": (value) => (isNothing(value) ? null : listOf(value).map(textOf)),
  "security.principal.securityidentifier": (value) => identity(textOf(value)),
};

export function castTo(type: string, value: unknown): unknown {
  const known = casts[type];
  if (known === undefined) throw new NotPlayed(`casts nothing to [${type}]`);
  return known(value);
}
