/** What tar-stream's ends of a stream have in common. */
interface Sink {
  once(
    event: "finish" | "drain" | "close" | "error",
    listener: (error?: unknown) => void,
  ): unknown;
  write(chunk: Uint8Array): boolean;
  end(last?: undefined): unknown;
}

/** Feeds one of tar-stream's sinks, which are no streams of Node, and ends it; settles when it has taken everything. */
export async function pump(
  source: AsyncIterable<Uint8Array>,
  sink: Sink,
): Promise<void> {
  const finished = new Promise<void>((resolve, reject) => {
    sink.once("finish", () => resolve());
    sink.once("error", reject);
    sink.once("close", () => reject(new Error("the archive was closed")));
  });
  finished.catch(() => undefined);
  const drained = (): Promise<void> =>
    new Promise((resolve) => void sink.once("drain", () => resolve()));
  for await (const chunk of source)
    if (!sink.write(chunk)) await Promise.race([drained(), finished]);
  sink.end(undefined);
  await finished;
}
