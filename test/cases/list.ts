import type { Case } from "./case.ts";
import { commandsAndFeatures } from "./list/commands.ts";
import { composeCases } from "./list/compose.ts";
import { corpus } from "./list/corpus.ts";
import { imagesAndBuilds } from "./list/images.ts";

/** All cases, in the order in which they are run and reported. */
export const cases: readonly Case[] = [
  ...corpus,
  ...imagesAndBuilds,
  ...commandsAndFeatures,
  ...composeCases,
];
