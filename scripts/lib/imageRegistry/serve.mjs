// node scripts/lib/imageRegistry/serve.mjs [PORT]: the registry alone, until it is ended; says on one line of JSON how
// it is reached, and each request on stderr.
import { startImageRegistry } from "../imageRegistry.mjs";

const registry = await startImageRegistry({
  port: Number(process.argv[2] ?? 0),
});
const { proxy, securePort, caFile } = registry;
console.log(JSON.stringify({ proxy, securePort, caFile, env: registry.env() }));
const told = setInterval(() => {
  for (const { host, method, path, status } of registry.requests.splice(0))
    console.error(`${method} ${host}${path} ${status}`);
}, 500);
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"]))
  process.once(signal, () => {
    clearInterval(told);
    registry.close();
  });
