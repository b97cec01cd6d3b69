/*
 * Calls of a script: of its blocks and functions, of cmdlets and of programs, with their parameters bound as PowerShell binds
 * them. `interpreter.ts` makes one of these for each process.
 */
import { cmdlets } from "./cmdlets.ts";
import { type Emit, emitAll, inner, recordOf, type Scope } from "./scope.ts";
import type { Cmdlet, Session } from "./session.ts";
import {
  type Argument,
  type Block,
  type Expression,
  NotPlayed,
  type Script,
  type Stage,
} from "./tree.ts";
import { programOf, runProgram } from "./types.ts";
import { Failure, isTrue, listOf, ScriptBlock, textOf } from "./values.ts";

type Command = Extract<Stage, { kind: "command" }>;

export interface Running {
  readonly session: Session;
  /** Of the whole process. */
  readonly top: Scope;
  readonly find: (name: string, scope: Scope) => unknown;
  readonly evaluate: (expression: Expression, scope: Scope) => unknown;
  readonly runBody: (body: Block, scope: Scope, emit: Emit) => void;
  /** `powershell.exe` as a program of its own. */
  readonly powerShell: (args: readonly string[], emit: Emit) => number;
}

export type CallOf = (
  command: Command,
  input: readonly unknown[],
  scope: Scope,
  emit: Emit,
) => void;

export const commandsOf =
  (running: Running): CallOf =>
  (command, input, scope, emit) => {
    const what = running.evaluate(command.name, scope);
    if (what instanceof ScriptBlock) {
      const own = command.operator === "." ? scope : inner(scope);
      running.runBody(what.script.body, own, emit);
      return;
    }
    const name = textOf(what).toLowerCase();
    const place = { command, scope, emit };
    const script = functionOf(name, scope);
    const cmdlet = cmdlets[name];
    if (script !== undefined) callFunction(running, script, place);
    else if (cmdlet !== undefined) callCmdlet(running, cmdlet, input, place);
    else callProgram(running, name, place);
  };

/** Where a command stands, and where its output goes. */
interface Place {
  readonly command: Command;
  readonly scope: Scope;
  readonly emit: Emit;
}

function functionOf(name: string, scope: Scope): Script | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const script = at.functions.get(name);
    if (script !== undefined) return script;
  }
  return undefined;
}

function callFunction(
  running: Running,
  { parameters, body }: Script,
  { command, scope: caller, emit }: Place,
): void {
  const takes = parameters.map(({ name }) => `*${name}`).join(" ");
  const given = bind(running, takes, command.args, caller);
  const scope = inner(caller);
  for (const { name, type } of parameters) {
    const value = given.get(name.toLowerCase()) ?? null;
    const fit = type === "string" ? textOf(value) : value;
    scope.variables.set(name.toLowerCase(), fit);
  }
  running.runBody(body, scope, emit);
}

/** `takes` as cmdlets say it. What isn't in it is no parameter of the command. */
function bind(
  { evaluate }: Running,
  takes: string,
  args: readonly Argument[],
  scope: Scope,
): Map<string, unknown> {
  const all = `${takes} ErrorAction WarningAction`.toLowerCase().split(" ");
  const places = all
    .filter((each) => each.startsWith("*"))
    .map((each) => each.slice(1));
  const names = all.map((each) => each.replace(/^\*/, ""));
  const given = new Map<string, unknown>();
  let pending: string | undefined;
  for (const { name, value } of args) {
    const worth = value === undefined ? undefined : evaluate(value, scope);
    if (name === undefined) {
      const place = pending ?? places.find((each) => !given.has(each));
      if (place === undefined)
        throw new NotPlayed(`takes no “${textOf(worth)}” for a parameter`);
      given.set(place, worth);
      pending = undefined;
      continue;
    }
    const wanted = name.toLowerCase().replace(/^literalpath$/, "path");
    if (names.includes(`${wanted}?`)) given.set(wanted, worth ?? true);
    else if (!names.includes(wanted))
      throw new NotPlayed(`knows no parameter -${name} here`);
    else if (value === undefined) pending = wanted;
    else given.set(wanted, worth);
  }
  return given;
}

function callCmdlet(
  running: Running,
  cmdlet: Cmdlet,
  input: readonly unknown[],
  { command, scope, emit }: Place,
): void {
  const { session, find } = running;
  const given = bind(running, cmdlet.takes, command.args, scope);
  const value = (parameter: string): unknown =>
    given.get(parameter.toLowerCase());
  try {
    const output = cmdlet.run({
      ...{ session, input, given: value },
      text: (parameter) => textOf(value(parameter)),
      is: (parameter) => isTrue(value(parameter)),
    });
    emitAll(output, emit);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const action = textOf(
      value("ErrorAction") ?? find("erroractionpreference", scope),
    ).toLowerCase();
    if (action === "stop") throw error;
    if (action === "silentlycontinue" || action === "ignore") return;
    if (command.merged) emit(recordOf(error));
    else session.write("stderr", Buffer.from(`${error.message}\r\n`));
  }
}

function callProgram(
  { session, top, evaluate, powerShell }: Running,
  name: string,
  { command, scope, emit }: Place,
): void {
  const words = command.args.flatMap(({ name: parameter, value }) => [
    ...(parameter === undefined ? [] : [`-${parameter}`]),
    ...(value === undefined ? [] : listOf(evaluate(value, scope)).map(textOf)),
  ]);
  const program = programOf(session.guest, name);
  const isPowerShell = /^powershell(\.exe)?$/.test(name);
  if (!isPowerShell && program === undefined)
    throw new NotPlayed(`knows no cmdlet, function or program “${name}”`);
  const code = isPowerShell
    ? powerShell(words, emit)
    : runProgram(session, name, words.join(" "), session.location);
  top.variables.set("lastexitcode", code);
}
