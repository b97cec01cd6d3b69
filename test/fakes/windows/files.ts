/* Cmdlets for what has a path in a guest: files and folders, values of the registry, variables, certificates. */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import {
  hasFile,
  lower,
  onHost,
  readBytes,
  readText,
  writeBytes,
} from "./guest.ts";
import type { Cmdlet, CmdletCall, Session } from "./session.ts";
import { NotPlayed } from "./tree.ts";
import { aclObject, type AclObject } from "./types.ts";
import {
  type Bag,
  Failure,
  isBag,
  like,
  listOf,
  memberOf,
  textOf,
  thing,
} from "./values.ts";

const isDrive = (path: string): boolean => /^[a-z]:/i.test(path);

/** With the drive that it lacks. */
const whole = ({ location }: Session, path: string): string =>
  isDrive(path) || /^\w+:/.test(path) ? path : `${location}\\${path}`;

const pathOf = ({ session, text }: CmdletCall): string =>
  whole(session, text("Path"));

const mustBe = ({ session: { guest } }: CmdletCall, path: string): void => {
  if (!hasFile(guest, path))
    throw new Failure(`Cannot find path '${path}' because it does not exist.`);
};

const isFolder = ({ guest }: Session, path: string): boolean =>
  hasFile(guest, path) && statSync(onHost(guest, path)).isDirectory();

const join = (folder: string, child: string): string =>
  `${folder.replace(/\\+$/, "")}\\${child.replace(/^\\+/, "")}`;

const item = (path: string, name: string): Bag =>
  thing({ Name: name, FullName: join(path, name) });

function children({ session, text }: CmdletCall, path: string): Bag[] {
  const { guest, variables } = session;
  if (/^env:/i.test(path))
    return [...variables].map(([Name, Value]) => thing({ Name, Value }));
  if (/^cert:/i.test(path)) {
    const place = lower(path.slice("Cert:\\".length));
    const names = guest.certificates.get(place);
    if (names === undefined) throw new Failure(`There is no ${path}.`);
    return names.map((name) => item(path, name));
  }
  if (!isDrive(path)) throw new NotPlayed(`lists no ${path}`);
  if (!isFolder(session, path))
    throw new Failure(`Cannot find path '${path}' because it does not exist.`);
  const filter = text("Filter");
  return readdirSync(onHost(guest, path))
    .filter((name) => filter === "" || like(name, filter))
    .map((name) => item(path, name));
}

function remove(call: CmdletCall, path: string): void {
  const { guest } = call.session;
  if (/^cert:/i.test(path)) {
    const at = path.lastIndexOf("\\");
    const place = lower(path.slice("Cert:\\".length, at));
    const left = guest.certificates.get(place) ?? [];
    guest.certificates.set(
      place,
      left.filter((name) => name !== path.slice(at + 1)),
    );
    return;
  }
  mustBe(call, path);
  if (isFolder(call.session, path) && !call.is("Recurse"))
    throw new Failure(`The item at ${path} has children.`);
  rmSync(onHost(guest, path), { recursive: true });
  guest.acls.delete(lower(path));
}

/** A folder that a file is moved or copied to is where it comes to lie. */
const targetOf = (call: CmdletCall, from: string): string => {
  const to = whole(call.session, call.text("Destination"));
  return isFolder(call.session, to)
    ? join(to, from.slice(from.lastIndexOf("\\") + 1))
    : to;
};

export const fileCmdlets: Readonly<Record<string, Cmdlet>> = {
  "join-path": {
    takes: "*Path *ChildPath",
    run: ({ text }) => join(text("Path"), text("ChildPath")),
  },
  "test-path": {
    takes: "*Path",
    run: (call) => hasFile(call.session.guest, pathOf(call)),
  },
  "set-location": {
    takes: "*Path",
    run: (call) => {
      mustBe(call, pathOf(call));
      call.session.location = pathOf(call);
    },
  },
  "get-content": {
    takes: "*Path Raw?",
    run: (call) => {
      mustBe(call, pathOf(call));
      const text = readText(call.session.guest, pathOf(call));
      return call.is("Raw") ? text : text.replace(/\r?\n$/, "").split(/\r?\n/);
    },
  },
  "set-content": {
    takes: "*Path *Value",
    run: (call) =>
      writeBytes(
        call.session.guest,
        pathOf(call),
        listOf(call.given("Value"))
          .map((line) => `${textOf(line)}\r\n`)
          .join(""),
      ),
  },
  "new-item": {
    takes: "*Path ItemType Force?",
    run: (call) => {
      const { session, text, is } = call;
      const path = pathOf(call);
      if (!isDrive(path)) throw new NotPlayed(`makes no ${path}`);
      if (hasFile(session.guest, path) && !is("Force"))
        throw new Failure(`An item with the name ${path} already exists.`);
      const kind = text("ItemType").toLowerCase();
      const parent = path.slice(0, path.lastIndexOf("\\"));
      if (kind === "directory" || is("Force"))
        mkdirSync(onHost(session.guest, kind === "directory" ? path : parent), {
          recursive: true,
        });
      if (kind === "file") writeBytes(session.guest, path, "");
      else if (kind !== "directory")
        throw new NotPlayed(`makes no item of the kind “${kind}”`);
      return item(parent, path.slice(parent.length + 1));
    },
  },
  "remove-item": {
    takes: "*Path Force? Recurse?",
    run: (call) => {
      const paths =
        call.given("Path") === undefined
          ? call.input.map((each) => textOf(memberOf(each, "FullName")))
          : [pathOf(call)];
      for (const path of paths) remove(call, path);
    },
  },
  "move-item": {
    takes: "*Path *Destination Force?",
    run: (call) => {
      const { guest } = call.session;
      const from = pathOf(call);
      mustBe(call, from);
      const to = targetOf(call, from);
      if (hasFile(guest, to) && !call.is("Force"))
        throw new Failure(
          "Cannot create a file when that file already exists.",
        );
      renameSync(onHost(guest, from), onHost(guest, to));
      // Within a drive a file takes along who may use it.
      const acl = guest.acls.get(lower(from));
      guest.acls.delete(lower(from));
      guest.acls.delete(lower(to));
      if (acl !== undefined) guest.acls.set(lower(to), acl);
    },
  },
  "copy-item": {
    takes: "*Path *Destination Force?",
    run: (call) => {
      const { guest } = call.session;
      const from = pathOf(call);
      mustBe(call, from);
      writeBytes(guest, targetOf(call, from), readBytes(guest, from));
    },
  },
  "get-childitem": {
    takes: "*Path Filter",
    run: (call) => children(call, pathOf(call)),
  },
  "get-itemproperty": {
    takes: "*Path",
    run: (call) => {
      const values = call.session.guest.registry.get(call.text("Path"));
      if (values === undefined)
        throw new Failure(`Cannot find path '${call.text("Path")}'.`);
      return values;
    },
  },
  "get-acl": {
    takes: "*Path",
    run: (call) => {
      mustBe(call, pathOf(call));
      const acl = call.session.guest.acls.get(lower(pathOf(call)));
      return aclObject(
        structuredClone(
          acl ?? {
            ...{ owner: "S-1-5-18", isProtected: false },
            allowed: [{ who: "S-1-5-32-545", rights: "Write" }],
          },
        ),
      );
    },
  },
  "set-acl": {
    takes: "*Path AclObject",
    run: (call) => {
      const path = pathOf(call);
      mustBe(call, path);
      const acl = call.given("AclObject");
      if (!isBag(acl)) throw new Failure("This is no security descriptor.");
      const { state } = acl as AclObject;
      call.session.guest.acls.set(lower(path), structuredClone(state));
    },
  },
};
