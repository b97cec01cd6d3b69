/*
 * Which workspaces are being brought up now, and what ends that. An `up` stands here only while it holds its workspace's
 * lock: one that still waits for the lock is ended by its own request. Ending is asked for here and never waited for;
 * whoever needs the end takes the lock.
 */
export class UnderWay {
  readonly #controllers = new Map<string, AbortController>();
  /** Those of which only a command is left that may never end. */
  readonly #lingering = new Set<string>();

  get size(): number {
    return this.#controllers.size;
  }

  /** One that only lingers is not among them. */
  has(id: string): boolean {
    return this.#controllers.has(id) && !this.#lingering.has(id);
  }

  noteLingering(id: string): void {
    if (this.#controllers.has(id)) this.#lingering.add(id);
  }

  /** Makes room for the next one. */
  endLingering(id: string): void {
    if (this.#lingering.has(id)) this.end(id);
  }

  /** `work` can be ended by `controller` until it settles. The caller holds the workspace's lock. */
  async during<T>(
    id: string,
    controller: AbortController,
    work: () => Promise<T>,
  ): Promise<T> {
    this.#controllers.set(id, controller);
    try {
      return await work();
    } finally {
      this.#controllers.delete(id);
      this.#lingering.delete(id);
    }
  }

  end(id: string): void {
    this.#controllers.get(id)?.abort();
  }

  /** Answers with whose end may be waited for. */
  endAll(): string[] {
    const ids = [...this.#controllers.keys()];
    for (const controller of this.#controllers.values()) controller.abort();
    return ids;
  }
}
