/** Anything that can be ended; ends are idempotent. */
export type Disposer = () => void | Promise<void>;

/**
 * Owns long-lived things and ends them in reverse order, once. A failing end never keeps the others from running;
 * the first failure is thrown when all are done.
 */
export class Disposables {
  #stack: Disposer[] = [];
  #disposed = false;

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Adds an end. After `dispose` it runs at once, so that a late owner leaks nothing. */
  add(disposer: Disposer): void {
    if (this.#disposed) void Promise.resolve(disposer()).catch(() => undefined);
    else this.#stack.push(disposer);
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const errors: unknown[] = [];
    for (const disposer of this.#stack.splice(0).reverse()) {
      try {
        await disposer();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
