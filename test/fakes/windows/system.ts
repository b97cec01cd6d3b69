/* Cmdlets for a guest's services, accounts, clock, name, cards, tasks and what it is busy with. */
import {
  type Account,
  administrators,
  readHostKeys,
  type Service,
  type WindowsGuest,
} from "./guest.ts";
import type { Cmdlet, CmdletCall } from "./session.ts";
import { NotPlayed } from "./tree.ts";
import { identity } from "./types.ts";
import { type Bag, Failure, isBag, numberOf, textOf, thing } from "./values.ts";

function serviceOf({ session: { guest }, text }: CmdletCall): Service {
  const service = guest.services.get(text("Name"));
  if (service === undefined)
    throw new Failure(
      `Cannot find any service with service name '${text("Name")}'.`,
    );
  return service;
}

/** sshd reads its key when it starts, and without one it ends at once. Remote Desktop makes itself a certificate. */
function start(guest: WindowsGuest, name: string, service: Service): void {
  if (service.broken !== undefined) throw new Failure(service.broken);
  service.starts += 1;
  service.running = true;
  if (name === "sshd") {
    readHostKeys(guest);
    service.running = guest.shownHostKey !== undefined;
  }
  if (name === "SessionEnv") {
    const place = "localmachine\\remote desktop";
    if (guest.certificates.get(place)?.length === 0)
      guest.certificates.set(place, ["its own"]);
  }
}

const accountObject = ({ name, sid }: Account): Bag =>
  thing({ Name: name, SID: identity(sid), Enabled: true });

function instances(
  { session: { guest }, text }: CmdletCall,
  className: string,
): unknown {
  const filter = text("Filter");
  if (
    className === "Win32_Process" &&
    /^Name\s*=\s*'explorer.exe'$/i.test(filter)
  )
    return guest.desktops.map((owner) => thing({ Owner: thing(owner) }));
  if (filter !== "")
    throw new NotPlayed(`finds no ${className} by “${filter}”`);
  if (className === "Win32_Processor") {
    const [now = 0] = guest.load;
    if (guest.load.length > 1) guest.load.shift();
    return thing({ LoadPercentage: now });
  }
  if (className === "Win32_OperatingSystem")
    return thing({ LastBootUpTime: guest.bootedAt, ProductType: 1 });
  throw new NotPlayed(`knows no ${className}`);
}

const cardOf = (
  { session: { guest }, given, text }: CmdletCall,
  by: "Name" | "InterfaceIndex",
) => {
  const found = guest.cards.find(({ name, index }) =>
    by === "Name" ? name === text(by) : index === given(by),
  );
  if (found === undefined) throw new Failure(`There is no card “${text(by)}”.`);
  return found;
};

export const systemCmdlets: Readonly<Record<string, Cmdlet>> = {
  "get-service": {
    takes: "*Name",
    run: (call) =>
      thing({
        Name: call.text("Name"),
        Status: serviceOf(call).running ? "Running" : "Stopped",
      }),
  },
  "restart-service": {
    takes: "*Name Force?",
    run: (call) => {
      const service = serviceOf(call);
      service.running = false;
      start(call.session.guest, call.text("Name"), service);
    },
  },
  "stop-service": {
    takes: "*Name Force?",
    run: (call) => {
      serviceOf(call).running = false;
    },
  },
  "start-service": {
    takes: "*Name",
    run: (call) => {
      const service = serviceOf(call);
      if (!service.running)
        start(call.session.guest, call.text("Name"), service);
    },
  },
  "get-localuser": {
    takes: "*Name",
    run: ({ session: { guest }, text }) => {
      const account = guest.accounts.find(({ name }) => name === text("Name"));
      if (account === undefined)
        throw new Failure(`User ${text("Name")} was not found.`);
      return accountObject(account);
    },
  },
  "get-localgroupmember": {
    takes: "SID",
    run: ({ session: { guest }, text }) => {
      if (text("SID") !== administrators)
        throw new NotPlayed(`knows no group ${text("SID")}`);
      if (guest.groupsAreUnreadable)
        throw new Failure("Failed to compare two elements in the array.");
      return guest.accounts
        .filter(({ isAdministrator }) => isAdministrator)
        .map(accountObject);
    },
  },
  "set-date": {
    takes: "*Date",
    run: ({ session: { guest }, given }) => {
      if (guest.clockRefuses !== undefined)
        throw new Failure(guest.clockRefuses);
      const date = given("Date");
      if (!(date instanceof Date))
        throw new NotPlayed("reads no dates as text");
      guest.clock = date;
      return date;
    },
  },
  "rename-computer": {
    takes: "*NewName Force?",
    run: ({ session: { guest }, text }) => {
      guest.nextComputerName = text("NewName");
    },
  },
  "get-netadapter": {
    takes: "",
    run: ({ session: { guest } }) =>
      guest.cards.map(({ name, index, macAddress }) =>
        thing({ Name: name, ifIndex: index, MacAddress: macAddress }),
      ),
  },
  "get-netadapterstatistics": {
    takes: "*Name",
    run: (call) => {
      const { received, sent } = cardOf(call, "Name");
      return thing({ ReceivedBytes: received, SentBytes: sent });
    },
  },
  "get-netipaddress": {
    takes: "InterfaceIndex",
    run: (call) =>
      cardOf(call, "InterfaceIndex").addresses.map(([address, prefix]) =>
        thing({ IPAddress: address, PrefixLength: prefix }),
      ),
  },
  "get-ciminstance": {
    takes: "*ClassName Filter",
    run: (call) => instances(call, call.text("ClassName")),
  },
  "invoke-cimmethod": {
    takes: "InputObject *MethodName",
    run: ({ given, text }) => {
      const of = given("InputObject");
      if (text("MethodName") !== "GetOwner" || !isBag(of))
        throw new NotPlayed(`calls no ${text("MethodName")}`);
      const owner = of["Owner"] as Bag;
      return thing({ User: owner["user"], Domain: owner["domain"] });
    },
  },
  "start-sleep": {
    takes: "Seconds Milliseconds",
    run: ({ session: { guest }, given }) => {
      guest.sleptMs +=
        numberOf(given("Seconds")) * 1000 + numberOf(given("Milliseconds"));
    },
  },
  "write-volumecache": {
    takes: "*DriveLetter",
    run: ({ session: { guest }, text }) => {
      guest.flushed.push(text("DriveLetter"));
    },
  },
  "new-scheduledtaskaction": {
    takes: "Execute Argument",
    run: ({ text }) =>
      thing({ execute: text("Execute"), argument: text("Argument") }),
  },
  "new-scheduledtaskprincipal": {
    takes: "UserId LogonType RunLevel",
    run: ({ text }) => thing({ user: text("UserId") }),
  },
  "new-scheduledtasktrigger": {
    takes: "AtStartup?",
    run: ({ is }) => thing({ atStartup: is("AtStartup") }),
  },
  "register-scheduledtask": {
    takes: "TaskName Action Trigger Principal Force?",
    run: ({ session: { guest }, given, text, is }) => {
      const [action, trigger, who] = ["Action", "Trigger", "Principal"].map(
        (part) => given(part) as Bag,
      );
      if (guest.tasks.has(text("TaskName")) && !is("Force"))
        throw new Failure(
          "Cannot create a file when that file already exists.",
        );
      guest.tasks.set(text("TaskName"), {
        execute: textOf(action?.["execute"]),
        argument: textOf(action?.["argument"]),
        user: textOf(who?.["user"]),
        atStartup: trigger?.["atStartup"] === true,
        started: false,
      });
    },
  },
  "unregister-scheduledtask": {
    takes: "TaskName Confirm?",
    run: ({ session: { guest }, given, text }) => {
      if (given("Confirm") !== false)
        throw new Failure("Nobody is there who could confirm that.");
      if (!guest.tasks.delete(text("TaskName")))
        throw new Failure(`No task “${text("TaskName")}” was found.`);
    },
  },
  "start-scheduledtask": {
    takes: "TaskName",
    run: ({ session: { guest }, text }) => {
      const task = guest.tasks.get(text("TaskName"));
      if (task === undefined)
        throw new Failure(`No task “${text("TaskName")}” was found.`);
      task.started = true;
    },
  },
};
