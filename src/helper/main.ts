import { createProgram } from "./cli/program.ts";

/** The bundle is both: the daemon (`daemon run`) and the command line. */
void createProgram().parseAsync();
