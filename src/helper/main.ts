import { createRequire } from "node:module";

/*
 * The program: the daemon (`daemon run`) and the command line. ssh runs `proxy NAME` before each connection, and somebody
 * waits for it; the other commands take longer to load than that takes to run.
 */
const [command, ...names] = process.argv.slice(2);
const isProxy = command === "proxy" && names.length === 1;
createRequire(__filename)(isProxy ? "./proxy.js" : "./commands.js");
