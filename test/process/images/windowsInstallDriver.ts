import { type IsoHouse, imagesOf } from "./windowsHouse.ts";

/** A helper that installs Windows and is killed in the midst: `driver SPEC`. */
async function main([text = ""]: string[]): Promise<void> {
  const spec = JSON.parse(text) as IsoHouse;
  const images = await imagesOf(spec, ({ state }) => {
    if (state.kind === "working") process.stdout.write(`${state.stage}\n`);
  });
  await images.installs.install(spec.wish);
}

void main(process.argv.slice(2));
