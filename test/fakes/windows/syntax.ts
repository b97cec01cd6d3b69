/*
 * Reads the part of PowerShell's language that our scripts are written in, into the tree of `tree.ts`. What it can't
 * read is an error of the test (`NotPlayed`) and never left out. Language: Microsoft, "Windows PowerShell Language
 * Specification 3.0" (commands' arguments are read otherwise than expressions are).
 */
import { blank, gap, lines, quoted, scanner, variable } from "./scanner.ts";
import {
  type Argument,
  type Block,
  type Expression,
  type Script,
  type Stage,
  type Statement,
} from "./tree.ts";

/** From the loosest to the tightest; comparisons are words. */
const levels: readonly RegExp[] = [
  /-(?:and|or|xor)(?![\w-])/iy,
  /-(?:eq|ne|gt|ge|lt|le|like|notlike|match|notmatch|contains|notcontains|in|notin|as|replace|join|split)(?![\w-])/iy,
  /\+(?![+=])|-(?![-=a-z])/iy,
  /[*/%](?!=)/y,
  /-f(?![\w-])/iy,
];

// Long because the places of a text are shared by all rules of the grammar, each of which is short.
export function readPowerShell(text: string): Script {
  const { match, take, eat, must, fault, place, back } = scanner(text);
  /** Whether a comma makes a list here; between a method's parentheses it doesn't. */
  let commas = true;

  const within = <T>(lists: boolean, work: () => T): T => {
    const before = commas;
    commas = lists;
    const result = work();
    commas = before;
    return result;
  };

  const block = (end: RegExp): Block =>
    within(true, () => {
      const statements: Statement[] = [];
      for (;;) {
        eat(gap);
        if (eat(end) !== undefined) return statements;
        if (place() >= text.length) throw fault("end of a block");
        statements.push(statement());
      }
    });
  const braces = (): Block => {
    eat(lines);
    must(/\{/y, "block");
    return block(/\}/y);
  };
  const condition = (): Statement => {
    eat(lines);
    must(/\(/y, "condition");
    eat(lines);
    const found = within(true, statement);
    eat(lines);
    must(/\)/y, "end of a condition");
    return found;
  };
  /** A word after line ends, or nothing eaten at all. */
  const follows = (word: RegExp): boolean => {
    const before = place();
    eat(lines);
    if (eat(word) !== undefined) return true;
    back(before);
    return false;
  };

  const type = (): string => {
    must(/\[/y, "type");
    const name = must(/[\w.]+(?:\[\])?/y, "type");
    must(/\]/y, "type");
    return name.toLowerCase();
  };
  const parameters = (): Script["parameters"] => {
    const found: { name: string; type: string | undefined }[] = [];
    must(/\(/y, "parameters");
    for (;;) {
      eat(lines);
      if (eat(/\)/y) !== undefined) return found;
      const typed = match(/\[/y) === undefined ? undefined : type();
      eat(blank);
      found.push({ name: must(/\$\w+/y, "parameter").slice(1), type: typed });
      eat(lines);
      eat(/,/y);
    }
  };
  const script = (end: RegExp): Script => {
    eat(gap);
    const given = eat(/param\s*(?=\()/iy) === undefined ? [] : parameters();
    return { parameters: given, body: block(end) };
  };

  const statement = (): Statement => {
    const word = match(/[a-z][\w-]*/iy)?.[0].toLowerCase();
    const keyword = (): void => {
      eat(/[a-z][\w-]*/iy);
      eat(blank);
    };
    switch (word) {
      case "if": {
        const branches: [Statement, Block][] = [];
        do {
          if (branches.length === 0) keyword();
          branches.push([condition(), braces()]);
        } while (follows(/elseif\b/iy));
        const otherwise = follows(/else\b/iy) ? braces() : [];
        return { kind: "if", branches, otherwise };
      }
      case "foreach": {
        keyword();
        must(/\(\s*/y, "foreach");
        const name = must(/\$\w+/y, "variable").slice(1);
        must(/\s+in\s+/iy, "foreach");
        const over = within(true, statement);
        must(/\s*\)/y, "foreach");
        return { kind: "foreach", variable: name, over, body: braces() };
      }
      case "for": {
        keyword();
        must(/\(/y, "for");
        const part = (end: RegExp): Block => {
          eat(lines);
          const found = match(end) === undefined ? [statement()] : [];
          eat(lines);
          must(end, "for");
          return found;
        };
        const [first, until, next] = [part(/;/y), part(/;/y), part(/\)/y)];
        return { kind: "for", first, condition: until, next, body: braces() };
      }
      case "try": {
        keyword();
        const body = braces();
        const rescue = follows(/catch\b/iy) ? braces() : undefined;
        const last = follows(/finally\b/iy) ? braces() : [];
        return { kind: "try", body, rescue, last };
      }
      case "function": {
        keyword();
        const name = must(/[\w-]+/y, "function");
        eat(lines);
        const outer = match(/\(/y) === undefined ? undefined : parameters();
        eat(lines);
        must(/\{/y, "function");
        const inner = script(/\}/y);
        const whole =
          outer === undefined ? inner : { ...inner, parameters: outer };
        return { kind: "function", name: name.toLowerCase(), script: whole };
      }
      case "return":
      case "exit":
      case "throw":
      case "break":
      case "continue": {
        keyword();
        const none = match(/[\n;})]|$/y) !== undefined;
        return {
          kind: "leave",
          how: word,
          value: none ? undefined : statement(),
        };
      }
      case "while":
      case "do":
      case "switch":
      case "class":
      case "trap":
        throw fault(`statement “${word}”`);
      default:
        return pipeline();
    }
  };

  const pipeline = (): Statement => {
    const first = stage();
    eat(blank);
    if (first.kind === "expression") {
      const operator = eat(/[-+]?=(?!=)/y);
      if (operator !== undefined) {
        eat(lines);
        const value = statement();
        return { kind: "assign", target: first.of, operator, value };
      }
    }
    const stages = [first];
    while (eat(/\|/y) !== undefined) {
      eat(lines);
      stages.push(stage());
      eat(blank);
    }
    if (match(/[\n;)}]|$/y) === undefined) throw fault("rest of a statement");
    return { kind: "pipeline", stages };
  };

  const stage = (): Stage => {
    const operator = eat(/&\s*|\.(?=\s)\s*/y)?.trim();
    if (operator !== undefined) return { ...command(argumentPart()), operator };
    const name = eat(/[a-z_][\w.\\:-]*/iy);
    return name === undefined
      ? { kind: "expression", of: expression() }
      : command({ kind: "literal", value: name });
  };
  const command = (name: Expression): Extract<Stage, { kind: "command" }> => {
    const args: Argument[] = [];
    let merged = false;
    for (;;) {
      eat(blank);
      if (match(/[|;\n)}]|$/y) !== undefined)
        return { kind: "command", name, args, merged };
      if (eat(/2>&1/y) !== undefined) merged = true;
      else if (match(/[\d*]?[<>]/y) !== undefined) throw fault("redirection");
      else {
        const parameter = eat(/-[a-z]\w*:?/iy);
        if (parameter === undefined) args.push({ value: argument() });
        else if (parameter.endsWith(":"))
          args.push({ name: parameter.slice(1, -1), value: argument() });
        else args.push({ name: parameter.slice(1) });
      }
    }
  };
  const argument = (): Expression => {
    const items = [argumentPart()];
    while (eat(/[ \t]*,\s*/y) !== undefined) items.push(argumentPart());
    return items.length === 1 && items[0] !== undefined
      ? items[0]
      : { kind: "list", items };
  };
  const argumentPart = (): Expression => {
    if (match(/[$('"{]|@[('"{]/y) !== undefined) return postfix(primary());
    const word = must(/[^\s|;(){}'"$,@`&]+/y, "argument");
    return { kind: "literal", value: /^\d+$/.test(word) ? Number(word) : word };
  };

  const expression = (level = 0): Expression => {
    const operators = levels[level];
    if (operators === undefined) return unary();
    let left = expression(level + 1);
    for (;;) {
      const before = place();
      eat(blank);
      const operator = eat(operators)?.toLowerCase();
      if (operator === undefined) {
        back(before);
        return left;
      }
      eat(lines);
      left = { kind: "binary", operator, left, right: expression(level + 1) };
    }
  };
  const unary = (): Expression => {
    const operator = eat(/-not(?![\w-])|!|-(?=[\d$(])/iy)?.toLowerCase();
    if (operator === undefined) return list();
    eat(blank);
    return { kind: "unary", operator, of: unary() };
  };
  const list = (): Expression => {
    const items = [cast()];
    while (commas && eat(/[ \t]*,\s*/y) !== undefined) items.push(cast());
    return items.length === 1 && items[0] !== undefined
      ? items[0]
      : { kind: "list", items };
  };
  const cast = (): Expression => {
    if (match(/\[/y) === undefined) return postfix(primary());
    const name = type();
    if (match(/[ \t]*[$('"@[\d{\u2018-\u201b]/y) === undefined)
      return postfix({ kind: "type", name });
    eat(blank);
    return { kind: "cast", type: name, of: cast() };
  };

  const postfix = (of: Expression): Expression => {
    if (eat(/\+\+/y) !== undefined) return { kind: "increment", of };
    if (eat(/\[/y) !== undefined) {
      const index = within(true, expression);
      must(/\s*\]/y, "index");
      return postfix({ kind: "index", of, at: index });
    }
    const name = eat(/(?:\.|::)[a-z]\w*/iy)?.replace(/^[.:]+/, "");
    if (name === undefined) return of;
    if (eat(/\(/y) === undefined) return postfix({ kind: "member", of, name });
    const args: Expression[] = [];
    within(false, () => {
      eat(lines);
      while (eat(/\)/y) === undefined) {
        args.push(expression());
        eat(lines);
        eat(/,/y);
        eat(lines);
      }
    });
    return postfix({ kind: "member", of, name, args });
  };

  const primary = (): Expression => {
    const here = take(/@'[ \t\r]*\n([\s\S]*?)\r?\n'@/y) ?? take(quoted);
    if (here !== undefined) {
      const inner = here[1] ?? "";
      const value = here[0].startsWith("@")
        ? inner
        : inner.replaceAll(/(['\u2018-\u201b])./g, "$1");
      return { kind: "literal", value };
    }
    if (eat(/"/y) !== undefined) return expandable();
    if (eat(/\$\(/y) !== undefined || eat(/\(/y) !== undefined)
      return { kind: "inner", body: block(/\)/y) };
    if (eat(/@\(/y) !== undefined) return { kind: "array", body: block(/\)/y) };
    if (eat(/@\{/y) !== undefined) return table();
    if (eat(/\{/y) !== undefined)
      return { kind: "script", script: script(/\}/y) };
    const number = eat(/\d+(?:\.\d+)?/y);
    if (number !== undefined) return { kind: "literal", value: Number(number) };
    const found = variableHere();
    if (found === undefined) throw fault("expression");
    return found;
  };
  const variableHere = (): Expression | undefined => {
    const found = take(variable);
    if (found === undefined) return undefined;
    const name = (found[1] ?? found[2] ?? "").toLowerCase();
    return { kind: "variable", name };
  };
  const expandable = (): Expression => {
    const parts: (string | Expression)[] = [];
    for (;;) {
      const plain = eat(/[^"$`]+|""|\$(?![\w({])/y);
      if (plain !== undefined) parts.push(plain === '""' ? '"' : plain);
      else if (eat(/"/y) !== undefined) return { kind: "text", parts };
      else if (eat(/\$\(/y) !== undefined)
        parts.push({ kind: "inner", body: block(/\)/y) });
      else if (eat(/`/y) !== undefined) {
        const letter = must(/[\s\S]/y, "escape");
        const known: Record<string, string> = {
          n: "\n",
          r: "\r",
          t: "\t",
          "0": "\0",
        };
        parts.push(known[letter] ?? letter);
      } else {
        const found = variableHere();
        if (found === undefined) throw fault("text");
        parts.push(found);
      }
    }
  };
  const table = (): Expression => {
    const entries: [Expression, Statement][] = [];
    for (;;) {
      eat(gap);
      if (eat(/\}/y) !== undefined) return { kind: "table", entries };
      const word = eat(/[a-z]\w*/iy);
      const key: Expression =
        word === undefined ? primary() : { kind: "literal", value: word };
      must(/\s*=\s*/y, "table");
      entries.push([key, within(true, statement)]);
    }
  };

  return script(/$/y);
}
