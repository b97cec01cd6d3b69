/**
 * The little of the browser's DOM that the harness touches. The whole DOM library is left out of the project on
 * purpose: nothing that ships runs in a page, and its globals would hide mistakes there.
 */
export interface DomElement {
  readonly textContent: string | null;
  getAttribute(name: string): string | null;
  hasAttribute(name: string): boolean;
  querySelector(selector: string): DomElement | null;
}

/** The clipboard, as code inside of a page sees it. */
export interface PageGlobal {
  readonly navigator: {
    readonly clipboard: {
      readText(): Promise<string>;
      writeText(text: string): Promise<void>;
    };
  };
}
