// Stands where a guest's powershell.exe would: `node relay.mjs <socket> <arguments…>`. Hands its arguments and its input to
// the test at the socket, which plays them, and ends as the played one does.
import { readFileSync } from "node:fs";
import { connect } from "node:net";

const [socket, ...args] = process.argv.slice(2);
const peer = connect(socket);
let answer = "";
peer.setEncoding("utf8");
peer.on("data", (chunk) => (answer += chunk));
peer.on("end", () => {
  const { code, stdout, stderr } = JSON.parse(answer);
  process.exitCode = code;
  process.stdout.write(stdout);
  process.stderr.write(stderr);
});
peer.end(JSON.stringify({ args, stdin: readFileSync(0, "utf8") }));
