import { createProgram } from "./program.ts";

void createProgram().parseAsync();
