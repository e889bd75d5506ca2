/** The units of WXSS in terms of CSS; used when building style sheets and for inline styles at run time. */

/** 750rpx is the width of the screen, 100vh the page without its bars, and insets are the device's. */
export function convertUnits(value: string): string {
  return value
    .replace(/(?<![\w.#])(-?(?:\d+\.?\d*|\.\d+))rpx\b/gi, (_, number: string) => `calc(100vw * ${number} / 750)`)
    .replace(/(?<![\w.#])(-?(?:\d+\.?\d*|\.\d+))vh\b/gi, (_, number: string) => `calc(var(--sim-vh, 1vh) * ${number})`)
    .replace(
      /\b(?:env|constant)\(\s*safe-area-inset-(top|right|bottom|left)\s*(?:,[^()]*)?\)/g,
      (_, side: string) => `var(--sim-safe-${side}, 0px)`,
    )
}
