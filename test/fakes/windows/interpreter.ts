/*
 * Runs what `syntax.ts` has read, on a guest's state: PowerShell's scopes, pipelines, ways to leave and kinds of errors, as
 * far as our scripts depend on them. Whoever plays a Windows guest calls `startSession`; cmdlets are in `cmdlets.ts`.
 */
import { commandsOf } from "./commands.ts";
import {
  type Emit,
  emitAll,
  inner,
  Leaving,
  recordOf,
  type Scope,
} from "./scope.ts";
import type { Session } from "./session.ts";
import { readPowerShell } from "./syntax.ts";
import {
  type Block,
  type Expression,
  NotPlayed,
  type Stage,
  type Statement,
} from "./tree.ts";
import { castTo, ofType } from "./types.ts";
import {
  Failure,
  isBag,
  isNothing,
  isTrue,
  listOf,
  memberOf,
  numberOf,
  operate,
  same,
  ScriptBlock,
  Table,
  textOf,
} from "./values.ts";

/** Runs texts in one process; `powerShell` is the program of that name, which is another one. */
// Long because all kinds of statements and expressions call each other over the same session.
export function startSession(
  session: Session,
  powerShell: (args: readonly string[], emit: Emit) => number,
): (
  text: string,
  variables: Readonly<Record<string, unknown>>,
  emit: Emit,
) => void {
  const top = inner(undefined);

  const find = (name: string, scope: Scope): unknown => {
    if (name === "true" || name === "false") return name === "true";
    if (name === "null") return null;
    if (name.startsWith("env:"))
      return session.variables.get(name.slice(4)) ?? null;
    if (name.startsWith("global:")) return find(name.slice(7), top);
    for (let at: Scope | undefined = scope; at !== undefined; at = at.parent)
      if (at.variables.has(name)) return at.variables.get(name);
    return null;
  };

  const collect = (work: (emit: Emit) => void): unknown => {
    const found: unknown[] = [];
    work((value) => found.push(value));
    return found.length > 1 ? found : found[0];
  };
  /** What a statement is worth where a value is wanted: an expression by itself keeps its arrays whole. */
  const valueOf = (statement: Statement, scope: Scope): unknown => {
    const [first, ...more] =
      statement.kind === "pipeline" ? statement.stages : [];
    return first?.kind === "expression" && more.length === 0
      ? evaluate(first.of, scope)
      : collect((emit) => execute(statement, scope, emit));
  };
  const blockValue = (block: Block, scope: Scope): unknown => {
    const [only, ...more] = block;
    return only !== undefined && more.length === 0
      ? valueOf(only, scope)
      : collect((emit) => run(block, scope, emit));
  };

  const run = (block: Block, scope: Scope, emit: Emit): void => {
    for (const statement of block) execute(statement, scope, emit);
  };
  /** The body of a function or script block: `return` ends here. */
  const runBody = (body: Block, scope: Scope, emit: Emit): void => {
    try {
      run(body, scope, emit);
    } catch (error) {
      if (!(error instanceof Leaving) || error.how !== "return") throw error;
    }
  };
  /** One round of a loop; answers whether there may be another. */
  const round = (body: Block, scope: Scope, emit: Emit): boolean => {
    try {
      run(body, scope, emit);
    } catch (error) {
      if (!(error instanceof Leaving)) throw error;
      if (error.how === "break") return false;
      if (error.how !== "continue") throw error;
    }
    return true;
  };
  const execute = (statement: Statement, scope: Scope, emit: Emit): void => {
    switch (statement.kind) {
      case "pipeline":
        runPipeline(statement.stages, scope, emit);
        return;
      case "assign": {
        const { target, operator } = statement;
        const value = valueOf(statement.value, scope);
        const sign = operator.slice(0, -1);
        assign(
          target,
          sign === "" ? value : operate(sign, evaluate(target, scope), value),
          scope,
        );
        return;
      }
      case "if": {
        const branch = statement.branches.find(([condition]) =>
          isTrue(valueOf(condition, scope)),
        );
        run(branch?.[1] ?? statement.otherwise, scope, emit);
        return;
      }
      case "foreach": {
        const over = valueOf(statement.over, scope);
        for (const each of isNothing(over) ? [] : listOf(over)) {
          scope.variables.set(statement.variable.toLowerCase(), each);
          if (!round(statement.body, scope, emit)) return;
        }
        return;
      }
      case "for": {
        const { first, condition, next, body } = statement;
        run(first, scope, emit);
        while (isTrue(blockValue(condition, scope))) {
          if (!round(body, scope, emit)) return;
          run(next, scope, emit);
        }
        return;
      }
      case "try":
        try {
          run(statement.body, scope, emit);
        } catch (error) {
          if (!(error instanceof Failure) || statement.rescue === undefined)
            throw error;
          scope.variables.set("_", recordOf(error));
          run(statement.rescue, scope, emit);
        } finally {
          run(statement.last, scope, emit);
        }
        return;
      case "function":
        scope.functions.set(statement.name, statement.script);
        return;
      case "leave":
        leave(statement, scope, emit);
    }
  };
  const leave = (
    { how, value }: Extract<Statement, { kind: "leave" }>,
    scope: Scope,
    emit: Emit,
  ): never => {
    const given = value === undefined ? undefined : valueOf(value, scope);
    if (how === "throw") throw new Failure(textOf(given));
    if (how === "exit") throw new Leaving(how, numberOf(given));
    if (how === "return") emitAll(given, emit);
    throw new Leaving(how);
  };

  const assign = (target: Expression, value: unknown, scope: Scope): void => {
    if (target.kind === "variable") {
      const { name } = target;
      if (name.startsWith("env:")) session.variables.set(name.slice(4), value);
      else if (name.startsWith("global:"))
        top.variables.set(name.slice(7), value);
      else scope.variables.set(name, value);
      return;
    }
    if (target.kind === "member" && target.of.kind === "type") {
      if (
        !same(
          `${target.of.name}.${target.name}`,
          "environment.currentdirectory",
        )
      )
        throw new NotPlayed(`sets no [${target.of.name}]::${target.name}`);
      session.location = textOf(value);
      return;
    }
    if (target.kind !== "member" && target.kind !== "index")
      throw new NotPlayed(`assigns to no ${target.kind}`);
    const of = evaluate(target.of, scope);
    const name =
      target.kind === "member"
        ? target.name
        : textOf(evaluate(target.at, scope));
    if (of instanceof Table) of.set(name, value);
    else if (isBag(of)) {
      memberOf(of, name);
      of[Object.keys(of).find((each) => same(each, name)) ?? name] = value;
    } else throw new NotPlayed(`sets no “${name}” of that`);
  };

  const evaluate = (expression: Expression, scope: Scope): unknown => {
    const of = (each: Expression): unknown => evaluate(each, scope);
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "text":
        return expression.parts
          .map((part) => (typeof part === "string" ? part : textOf(of(part))))
          .join("");
      case "variable":
        return find(expression.name, scope);
      case "list":
        return expression.items.map(of);
      case "array": {
        const found: unknown[] = [];
        run(expression.body, scope, (value) => found.push(value));
        return found;
      }
      case "inner":
        return blockValue(expression.body, scope);
      case "table": {
        const table = new Table();
        for (const [key, value] of expression.entries)
          table.set(textOf(of(key)), valueOf(value, scope));
        return table;
      }
      case "script":
        return new ScriptBlock(expression.script);
      case "type":
        throw new NotPlayed(`has no value for [${expression.name}]`);
      case "cast":
        return castTo(expression.type, of(expression.of));
      case "unary": {
        const value = of(expression.of);
        return expression.operator === "-" ? -numberOf(value) : !isTrue(value);
      }
      case "binary": {
        const { operator, left, right } = expression;
        if (operator === "-and") return isTrue(of(left)) && isTrue(of(right));
        if (operator === "-or") return isTrue(of(left)) || isTrue(of(right));
        return operate(operator, of(left), of(right));
      }
      case "member":
        return member(expression, scope);
      case "index": {
        const [value, at] = [of(expression.of), of(expression.at)];
        if (value instanceof Table) return value.get(textOf(at)) ?? null;
        if (typeof value === "string") return value.at(numberOf(at)) ?? null;
        return listOf(value).at(numberOf(at)) ?? null;
      }
      case "increment": {
        assign(expression.of, numberOf(of(expression.of)) + 1, scope);
        return undefined;
      }
    }
  };
  const member = (
    { of, name, args }: Extract<Expression, { kind: "member" }>,
    scope: Scope,
  ): unknown => {
    const given = args?.map((each) => evaluate(each, scope));
    if (of.kind === "type") return ofType(session, of.name, name, given);
    const value = evaluate(of, scope);
    const found = memberOf(value, name);
    if (given === undefined) return found ?? null;
    if (isNothing(value))
      throw new Failure(
        "You cannot call a method on a null-valued expression.",
      );
    if (typeof found !== "function") throw new NotPlayed(`knows no ${name}()`);
    return (found as (...all: unknown[]) => unknown)(...given);
  };

  interface Sink {
    readonly take: Emit;
    readonly end: () => void;
  }
  const runPipeline = (
    stages: readonly Stage[],
    scope: Scope,
    emit: Emit,
  ): void => {
    const [first, ...more] = stages;
    if (first === undefined) return;
    const sink = more.reduceRight<Sink>(
      (next, stage) => sinkOf(stage, scope, next),
      { take: emit, end: () => undefined },
    );
    if (first.kind === "expression")
      emitAll(evaluate(first.of, scope), sink.take);
    else command(first, [], scope, sink.take);
    sink.end();
  };
  /** What goes through a block comes out at once, as output before an `exit` must; all else waits for the end. */
  const sinkOf = (stage: Stage, scope: Scope, next: Sink): Sink => {
    if (stage.kind === "expression")
      throw new NotPlayed("pipes nothing into an expression");
    const name = textOf(evaluate(stage.name, scope)).toLowerCase();
    if (name === "foreach-object" || name === "where-object") {
      const [argument] = stage.args;
      const block =
        argument?.value === undefined ? null : evaluate(argument.value, scope);
      if (!(block instanceof ScriptBlock) || stage.args.length > 1)
        throw new NotPlayed(`knows ${name} with one block only`);
      const perItem = (item: unknown): void => {
        const before = scope.variables.get("_");
        scope.variables.set("_", item);
        const work = (emit: Emit): void =>
          runBody(block.script.body, scope, emit);
        if (name === "foreach-object") work(next.take);
        else if (isTrue(collect(work))) next.take(item);
        scope.variables.set("_", before);
      };
      return { take: perItem, end: next.end };
    }
    const waiting: unknown[] = [];
    return {
      take: (value) => waiting.push(value),
      end: () => {
        command(stage, waiting, scope, next.take);
        next.end();
      },
    };
  };

  const command = commandsOf({
    session,
    top,
    find,
    evaluate,
    runBody,
    powerShell,
  });

  return (text, variables, emit) => {
    for (const [name, value] of Object.entries(variables))
      top.variables.set(name.toLowerCase(), value);
    runBody(readPowerShell(text).body, top, emit);
  };
}
