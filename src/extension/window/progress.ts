import { type CancellationToken, ProgressLocation, window } from "vscode";

export type Report = (message: string) => void;

/** Work that the user waits for: a notification with its stage and a Cancel button. */
export function withCancellableProgress<T>(
  title: string,
  work: (report: Report, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return Promise.resolve(
    window.withProgress(
      { location: ProgressLocation.Notification, title, cancellable: true },
      (progress, token) =>
        work((message) => progress.report({ message }), signalOf(token)),
    ),
  );
}

/** Work in the background: the view's own progress bar, nothing else. */
export function withViewProgress<T>(
  viewId: string,
  work: () => Promise<T>,
): Promise<T> {
  return Promise.resolve(
    window.withProgress({ location: { viewId } }, () => work()),
  );
}

function signalOf(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  token.onCancellationRequested(() => controller.abort());
  if (token.isCancellationRequested) controller.abort();
  return controller.signal;
}
