import { visible } from "../../../base/visible.ts";

/** What git in a guest wants to have credentials for, by git's names (git-credential(1)). */
export interface CredentialQuestion {
  readonly protocol: "http" | "https";
  /** With its port, where one is given. */
  readonly host: string;
  readonly path?: string;
  readonly username?: string;
}

/** One line of the guest's: whom the answer goes to, and what is asked; `question` is undefined for what isn't answered. */
export interface Asked {
  readonly id: string;
  readonly question: CredentialQuestion | undefined;
}

const fields = ["protocol", "host", "path", "username"] as const;

/** Reads `ID get NAME=VALUE<TAB>NAME=VALUE…`, which comes out of a guest; undefined for any other line. Pure. */
export function askedOf(line: string): Asked | undefined {
  const [, id, asked = ""] = /^([A-Za-z0-9]{1,32}) get (.*)$/s.exec(line) ?? [];
  if (id === undefined) return undefined;
  const said = new Map(
    asked.split("\t").flatMap((each) => {
      const [, name = "", value = ""] = /^([a-z]+)=(.*)$/s.exec(each) ?? [];
      return value === "" ? [] : [[name, value] as const];
    }),
  );
  const known = fields.flatMap((name) => {
    const value = said.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const { protocol, host, ...more } = Object.fromEntries(known) as Partial<
    Record<(typeof fields)[number], string>
  >;
  const isPlain = known.every(([, value]) => visible(value) === value);
  return {
    id,
    question:
      isPlain &&
      (protocol === "https" || protocol === "http") &&
      host !== undefined
        ? { protocol, host, ...more }
        : undefined,
  };
}

/** The guest's `read` takes blanks off the end, so what may have some doesn't stand there. Pure. */
export const answerLine = (
  id: string,
  answer: readonly (readonly [name: string, value: string])[],
): string => {
  const said = answer.map(([name, value]) => `${name}=${value}`);
  return `${id} ${said.length === 0 ? "" : `${said.join("\t")}\tquit=0`}\n`;
};
