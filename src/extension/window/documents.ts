import { commands, EventEmitter, Uri, window, workspace } from "vscode";

const scheme = "guesthouse";

/** Shows a page of ours, rendered; the same title replaces what it showed before. */
export type ShowMarkdown = (title: string, text: string) => Promise<void>;

export function createDocuments(): {
  readonly showMarkdown: ShowMarkdown;
  dispose(): void;
} {
  const texts = new Map<string, string>();
  const changes = new EventEmitter<Uri>();
  const provider = workspace.registerTextDocumentContentProvider(scheme, {
    onDidChange: changes.event,
    provideTextDocumentContent: (uri) => texts.get(uri.path) ?? "",
  });
  return {
    async showMarkdown(title, text) {
      const uri = Uri.from({ scheme, path: `/${title}.md` });
      texts.set(uri.path, text);
      changes.fire(uri);
      try {
        await commands.executeCommand("markdown.showPreview", uri);
      } catch {
        // The editor's own Markdown support can be switched off; the source reads well, too.
        await window.showTextDocument(uri, { preview: true });
      }
    },
    dispose() {
      provider.dispose();
      changes.dispose();
    },
  };
}
