/** The device the page pretends to be: its bars and insets. The screen is as large as the viewport. */

export interface DevicePreset {
  readonly name: string
  readonly model: string
  readonly statusBar: number
  readonly safeBottom: number
}

const PRESETS: readonly DevicePreset[] = [
  { name: 'plain', model: 'iPhone 8', statusBar: 20, safeBottom: 0 },
  { name: 'iphone-x', model: 'iPhone X', statusBar: 44, safeBottom: 34 },
]

/** Height of the navigation bar below the status bar. */
export const NAVIGATION_BAR = 44
/** Height of the tab bar above the bottom inset. */
export const TAB_BAR = 49

/** The preset of `?device=`, else the plain one. */
export const presetOf = (name: string | null): DevicePreset =>
  PRESETS.find((preset) => preset.name === name) ?? (PRESETS[0] as DevicePreset)
