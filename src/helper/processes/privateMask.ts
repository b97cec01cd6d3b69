/**
 * Runs `start`, which starts a process before it returns; what that process creates is its owner's alone. The mask
 * belongs to the whole process, so nothing asynchronous may happen inside.
 */
export function withPrivateMask<T>(start: () => T): T {
  const mask = process.umask(0o077);
  try {
    return start();
  } finally {
    process.umask(mask);
  }
}
