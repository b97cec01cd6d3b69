import { basename } from "node:path";
import {
  env,
  l10n,
  type Memento,
  type QuickInputButton,
  type SecretStorage,
  ThemeIcon,
  Uri,
  window,
} from "vscode";
import { stays } from "../window/stays.ts";
import type { Result } from "../../protocol/contract.ts";

type Read = Pick<Result<"workspaces.read">, "id" | "secrets">;
type Recommended = Read["secrets"][number];
export type Secrets = Readonly<Record<string, string>>;

/** The secrets that the user gave a folder, in the editor's own store, and those that nobody is to ask for again. */
export interface SecretStore {
  readonly read: (workspace: string) => Promise<Secrets>;
  /** An empty value forgets it. */
  readonly put: (
    workspace: string,
    name: string,
    value: string,
  ) => Promise<void>;
  readonly isDeclined: (workspace: string, name: string) => boolean;
  readonly decline: (workspace: string, name: string) => Promise<void>;
}

const declinedKey = "guesthouse.declinedSecrets";
const maxDeclined = 500;

export function secretsIn(
  storage: Pick<SecretStorage, "get" | "store" | "delete">,
  memento: Memento,
): SecretStore {
  const keyOf = (workspace: string): string =>
    `guesthouse.secrets.${workspace}`;
  const declined = (): readonly string[] =>
    memento.get<string[]>(declinedKey, []);
  const read = async (workspace: string): Promise<Secrets> =>
    parse(await storage.get(keyOf(workspace)));
  return {
    read,
    async put(workspace, name, value) {
      const others = Object.entries(await read(workspace)).filter(
        ([each]) => each !== name,
      );
      const all = Object.fromEntries(
        value === "" ? others : [...others, [name, value]],
      );
      if (Object.keys(all).length === 0) await storage.delete(keyOf(workspace));
      else await storage.store(keyOf(workspace), JSON.stringify(all));
    },
    isDeclined: (workspace, name) =>
      declined().includes(`${workspace}/${name}`),
    async decline(workspace, name) {
      const all = new Set([...declined(), `${workspace}/${name}`]);
      await memento.update(declinedKey, [...all].slice(-maxDeclined));
    },
  };
}

/** What a store of another time holds counts as nothing when it can't be read. */
function parse(text: string | undefined): Secrets {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      ),
    );
  } catch {
    return {};
  }
}

/** What the user does about one secret; undefined: leaves altogether. */
export type Answer =
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "later" | "never" }
  | undefined;
export type AskSecret = (
  secret: Recommended,
  about: {
    readonly title: string;
    readonly step: number;
    readonly total: number;
  },
) => Promise<Answer>;

/**
 * The values for the secrets that a file recommends: those that are kept, and those that the user gives now. A folder that
 * isn't trusted asks nothing and gets nothing. Undefined when the user leaves.
 */
export async function gatherSecrets(
  { id, secrets }: Read,
  { folder, isTrusted }: { folder: string; isTrusted: boolean },
  store: SecretStore,
  ask: AskSecret = askSecret,
): Promise<Secrets | undefined> {
  if (!isTrusted || secrets.length === 0) return {};
  const kept = await store.read(id);
  const missing = secrets.filter(
    ({ name }) => !Object.hasOwn(kept, name) && !store.isDeclined(id, name),
  );
  for (const [index, secret] of missing.entries()) {
    const answer = await ask(secret, {
      title: l10n.t("Secrets for {0}", basename(folder)),
      step: index + 1,
      total: missing.length,
    });
    if (answer === undefined) return undefined;
    if (answer.kind === "value") await store.put(id, secret.name, answer.value);
    if (answer.kind === "never") await store.decline(id, secret.name);
  }
  const all = await store.read(id);
  // Only what the file names today: a value that was given for another time is not handed out.
  return Object.fromEntries(
    secrets.flatMap(({ name }) => {
      const value = all[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Asks for one in an input box that hides it. Nothing typed is an answer, too: not now. */
function askSecret(
  { name, description, documentationUrl }: Recommended,
  about: { title: string; step: number; total: number },
): Promise<Answer> {
  const never: QuickInputButton = {
    iconPath: new ThemeIcon("bell-slash"),
    tooltip: l10n.t("Don't Ask Again"),
  };
  const help: QuickInputButton = {
    iconPath: new ThemeIcon("link-external"),
    tooltip: l10n.t("Open Documentation"),
  };
  const box = window.createInputBox();
  box.title = about.title;
  if (about.total > 1) {
    box.step = about.step;
    box.totalSteps = about.total;
  }
  box.password = true;
  box.ignoreFocusOut = true;
  box.prompt = description === undefined ? name : `${name}: ${description}`;
  box.placeholder = l10n.t("Its value; empty goes on without it");
  box.buttons = documentationUrl === undefined ? [never] : [help, never];
  return new Promise<Answer>((resolve) => {
    box.onDidAccept(() =>
      resolve(
        box.value === ""
          ? { kind: "later" }
          : { kind: "value", value: box.value },
      ),
    );
    box.onDidTriggerButton((button) => {
      if (button === never) resolve({ kind: "never" });
      else if (documentationUrl !== undefined)
        void env.openExternal(Uri.parse(documentationUrl));
    });
    box.onDidHide(() => resolve(undefined));
    box.show();
  }).finally(() => box.dispose());
}

/** *Set Secrets…*: gives, changes or forgets one of a folder's secrets. */
export async function changeSecrets(
  { id, secrets }: Read,
  title: string,
  store: SecretStore,
): Promise<void> {
  const kept = await store.read(id);
  const names = new Set([
    ...secrets.map(({ name }) => name),
    ...Object.keys(kept),
  ]);
  if (names.size === 0) {
    void window.showInformationMessage(
      l10n.t("The folder's devcontainer.json recommends no secrets."),
    );
    return;
  }
  const picked = await window.showQuickPick(
    [...names].map((name) => ({
      label: name,
      description: Object.hasOwn(kept, name)
        ? l10n.t("kept")
        : l10n.t("not given"),
      detail: secrets.find((each) => each.name === name)?.description ?? "",
    })),
    { title },
  );
  if (picked === undefined) return;
  const value = await window.showInputBox({
    title: `${title} · ${picked.label}`,
    prompt: l10n.t("The next Open in VM uses it. Empty forgets it."),
    password: true,
    ...stays,
  });
  if (value !== undefined) await store.put(id, picked.label, value);
}
