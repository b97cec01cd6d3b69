import { readFile, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import * as z from "zod";
import { given } from "../../../../base/given.ts";
import { bug } from "../../../../protocol/failure.ts";

/** Setup's passes in the order in which they come. */
export const windowsPhases = [
  "windowsPE",
  "specialize",
  "oobe",
  "firstLogon",
] as const;
export type WindowsPhase = (typeof windowsPhases)[number];

const entrySchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  /** 1, 2, 3 …: the order in which steps are installed and verified. */
  order: z.int().positive(),
  phase: z.enum(windowsPhases),
  title: z.string().min(1),
  /** Done by the answer file itself, or by the `install` part of the step's script. */
  install: z.enum(["answerFile", "script"]),
  /** Steps that must have come before. */
  needs: z.array(z.string()),
  /** Does nothing unless it is asked for. */
  optional: z.literal(true).optional(),
  /** About what was chosen of an ISO: it asks for nothing of a disk that came with Windows, and so with its own. */
  ofIso: z.literal(true).optional(),
});
const manifestSchema = z.strictObject({ steps: z.array(entrySchema).min(1) });

const partNames = ["install", "verify", "remediate"] as const;
type PartName = (typeof partNames)[number];

/** What a step does in PowerShell: bodies that throw where something isn't as it should be. */
export interface StepParts {
  /** Absent where the answer file does it. */
  readonly install?: string;
  readonly verify: string;
  readonly remediate: string;
}

export type WindowsStep = Readonly<z.infer<typeof entrySchema>> & {
  readonly parts: StepParts;
};

/** The manifest as it lies in `resources/windows/steps`: its text, and the scripts by step. */
export interface StepSources {
  readonly manifest: string;
  readonly scripts: Readonly<Record<string, string>>;
}

export async function readStepSources(resources: string): Promise<StepSources> {
  const folder = join(resources, "windows", "steps");
  const scripts: Record<string, string> = {};
  for (const name of (await readdir(folder)).sort())
    if (name.endsWith(".ps1"))
      scripts[basename(name, ".ps1")] = await readFile(
        join(folder, name),
        "utf8",
      );
  const manifest = await readFile(join(folder, "manifest.json"), "utf8");
  return { manifest, scripts };
}

/** The steps in their order. Pure. Throws `bug` with every fault: the manifest ships with the product. */
export function windowsSteps(sources: StepSources): WindowsStep[] {
  const { steps } = manifestSchema.parse(JSON.parse(sources.manifest));
  const faults = [
    ...orderFaults(steps),
    ...steps.flatMap((step) => partFaults(step, sources.scripts[step.id])),
    ...Object.keys(sources.scripts)
      .filter((id) => !steps.some((step) => step.id === id))
      .map((id) => `the script ${id} belongs to no step`),
  ];
  if (faults.length > 0)
    throw bug(`The manifest of Windows steps is wrong: ${faults.join("; ")}.`);
  return steps
    .toSorted((a, b) => a.order - b.order)
    .map((step) => {
      const { install, verify, remediate } = partsOf(
        sources.scripts[step.id] ?? "",
      );
      if (verify === undefined || remediate === undefined)
        throw bug(`The step ${step.id} lost a part.`);
      return {
        ...step,
        parts: {
          ...given({ install }),
          verify,
          remediate,
        },
      };
    });
}

type Entry = z.infer<typeof entrySchema>;

function orderFaults(steps: readonly Entry[]): string[] {
  const byOrder = steps.toSorted((a, b) => a.order - b.order);
  const faults: string[] = [];
  byOrder.forEach(({ id, order, phase, needs }, index) => {
    if (order !== index + 1)
      faults.push(
        `${id} has the order ${String(order)} where ${String(index + 1)} comes`,
      );
    const before = byOrder[index - 1];
    if (before !== undefined && phaseIndex(before.phase) > phaseIndex(phase))
      faults.push(`${id} of ${phase} comes after ${before.id}`);
    for (const need of needs) {
      const needed = byOrder.findIndex((step) => step.id === need);
      if (needed < 0) faults.push(`${id} needs ${need}, which is no step`);
      // Whoever needs only what comes before can't be part of a circle.
      else if (needed >= index)
        faults.push(`${id} needs ${need}, which comes later`);
    }
  });
  const ids = steps.map(({ id }) => id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at)))
    faults.push(`${id} is there twice`);
  return faults;
}

const phaseIndex = (phase: WindowsPhase): number =>
  windowsPhases.indexOf(phase);

function partFaults({ id, install }: Entry, text: string | undefined) {
  if (text === undefined) return [`${id} has no script`];
  const parts = partsOf(text);
  const faults = (["verify", "remediate"] as const)
    .filter((part) => parts[part] === undefined)
    .map((part) => `${id} has no ${part}`);
  if ((install === "script") !== (parts.install !== undefined))
    faults.push(
      install === "script"
        ? `${id} has no install`
        : `${id} is the answer file's and has an install`,
    );
  return faults;
}

/** The parts of a script: what stands between `#region <part>` and `#endregion`, if anything but comments does. */
function partsOf(text: string): Partial<Record<PartName, string>> {
  const parts: Partial<Record<PartName, string>> = {};
  for (const part of partNames) {
    const body = new RegExp(
      `^#region ${part}\\n([\\s\\S]*?)^#endregion$`,
      "m",
    ).exec(text)?.[1];
    if (body !== undefined && /^\s*[^\s#]/m.test(body)) parts[part] = body;
  }
  return parts;
}
