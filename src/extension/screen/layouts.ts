/**
 * One press of a key, by the place it has on a keyboard (`KeyboardEvent.code`, W3C UI Events): the guest's layout makes
 * a character of it.
 */
export interface Stroke {
  readonly code: string;
  readonly shift?: true;
  readonly altGraph?: true;
}

export const layoutNames = ["us", "gb", "de", "fr"] as const;
export type LayoutName = (typeof layoutNames)[number];

/** Keys that bear characters, row by row as on a keyboard of 105 keys. */
const keys = [
  "Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal",
  "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight",
  "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backslash",
  "IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash",
]
  .join(" ")
  .split(" ");

interface Layout {
  /** One character for each of `keys`; a space where it has none. */
  readonly plain: string;
  readonly shift: string;
  readonly altGraph: Readonly<Record<string, string>>;
  /** They wait for a letter; a space makes them characters. */
  readonly dead: string;
}

const layouts: Readonly<Record<LayoutName, Layout>> = {
  us: {
    plain: "`1234567890-=" + "qwertyuiop[]" + "asdfghjkl;'\\" + " zxcvbnm,./",
    shift: "~!@#$%^&*()_+" + "QWERTYUIOP{}" + 'ASDFGHJKL:"|' + " ZXCVBNM<>?",
    altGraph: {},
    dead: "",
  },
  gb: {
    plain: "`1234567890-=" + "qwertyuiop[]" + "asdfghjkl;'#" + "\\zxcvbnm,./",
    shift: '¬!"£$%^&*()_+' + "QWERTYUIOP{}" + "ASDFGHJKL:@~" + "|ZXCVBNM<>?",
    altGraph: { Digit4: "€" },
    dead: "",
  },
  de: {
    plain: "^1234567890ß´" + "qwertzuiopü+" + "asdfghjklöä#" + "<yxcvbnm,.-",
    shift: '°!"§$%&/()=?`' + "QWERTZUIOPÜ*" + "ASDFGHJKLÖÄ'" + ">YXCVBNM;:_",
    altGraph: {
      ...{ Digit2: "²", Digit3: "³", Digit7: "{", Digit8: "[", Digit9: "]" },
      ...{ Digit0: "}", Minus: "\\", KeyQ: "@", KeyE: "€", KeyM: "µ" },
      ...{ BracketRight: "~", IntlBackslash: "|" },
    },
    dead: "^´`",
  },
  fr: {
    // Circumflex and diaeresis are left out: the first is typed with AltGr, the second stands alone nowhere.
    plain: "²&é\"'(-è_çà)=" + "azertyuiop $" + "qsdfghjklmù*" + "<wxcvbn,;:!",
    shift: " 1234567890°+" + "AZERTYUIOP £" + "QSDFGHJKLM%µ" + ">WXCVBN?./§",
    altGraph: {
      ...{ Digit2: "~", Digit3: "#", Digit4: "{", Digit5: "[", Digit6: "|" },
      ...{ Digit7: "`", Digit8: "\\", Digit9: "^", Digit0: "@", Minus: "]" },
      ...{ Equal: "}", KeyE: "€" },
    },
    dead: "",
  },
};

const onEveryLayout: Readonly<Record<string, Stroke>> = {
  " ": { code: "Space" },
  "\n": { code: "Enter" },
  "\t": { code: "Tab" },
};

export const isLayoutName = (text: string): text is LayoutName =>
  (layoutNames as readonly string[]).includes(text);

export interface Typing {
  readonly strokes: readonly Stroke[];
  /** Characters that this layout can't type, each once; their places are skipped. */
  readonly missing: readonly string[];
}

/** The presses of keys that write a text in a guest with this keyboard layout. Pure. */
export function typingOf(text: string, name: LayoutName): Typing {
  const map = strokesOf(layouts[name]);
  const missing = new Set<string>();
  const strokes = Array.from(
    text.replaceAll(/\r\n?/g, "\n").normalize("NFC"),
  ).flatMap((character) => {
    const found = onEveryLayout[character]
      ? [onEveryLayout[character]]
      : map.get(character);
    if (found === undefined) missing.add(character);
    return found ?? [];
  });
  return { strokes, missing: [...missing] };
}

function strokesOf(layout: Layout): Map<string, Stroke[]> {
  const map = new Map<string, Stroke[]>();
  const add = (character: string | undefined, stroke: Stroke): void => {
    if (character === undefined || character === " " || map.has(character))
      return;
    const isDead = layout.dead.includes(character);
    map.set(character, isDead ? [stroke, { code: "Space" }] : [stroke]);
  };
  keys.forEach((code, index) => {
    add(layout.plain[index], { code });
    add(layout.shift[index], { code, shift: true });
    add(layout.altGraph[code], { code, altGraph: true });
  });
  return map;
}
