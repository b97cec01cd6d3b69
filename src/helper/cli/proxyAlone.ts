import { proxy } from "./proxy.ts";

void proxy(process.argv[3] ?? "");
