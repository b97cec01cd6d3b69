// Serves what build.js made. Node alone: nothing to install.
const { readFile } = require("node:fs/promises");
const { createServer } = require("node:http");
const { basename, join } = require("node:path");

const port = Number(process.env.PORT ?? 3000);
createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const name = pathname === "/" ? "index.html" : basename(pathname);
  try {
    const page = await readFile(join(__dirname, "dist", name));
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(page);
  } catch {
    response.writeHead(404).end("There is no such page.\n");
  }
  // All addresses: the VM's forwarded ports arrive from outside of its loopback.
}).listen(port, "0.0.0.0");
