export type Listener<T> = (value: T) => void;

export interface Emitter<T> {
  readonly fire: (value: T) => void;
  /** Returns what ends the listening. */
  readonly on: (listener: Listener<T>) => () => void;
}

/** Listeners without the editor's API, for what is tested without it. */
export function createEmitter<T>(): Emitter<T> {
  const listeners = new Set<Listener<T>>();
  return {
    fire: (value) => {
      // A copy, because a listener may end itself or another one.
      for (const listener of [...listeners]) listener(value);
    },
    on: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
