/** What a built project looks like to the runtimes: plain data, the same in the browser and in Node. */

export interface WindowConfig {
  readonly navigationBarTitleText?: string
  readonly navigationBarBackgroundColor?: string
  readonly navigationBarTextStyle?: 'black' | 'white'
  readonly navigationStyle?: 'default' | 'custom'
  readonly backgroundColor?: string
  readonly backgroundTextStyle?: 'dark' | 'light'
  readonly enablePullDownRefresh?: boolean
  readonly onReachBottomDistance?: number
  readonly disableScroll?: boolean
}

export interface TabItem {
  readonly pagePath: string
  readonly text: string
  readonly iconPath?: string
  readonly selectedIconPath?: string
}

export interface TabBarConfig {
  readonly color?: string
  readonly selectedColor?: string
  readonly backgroundColor?: string
  readonly borderStyle?: 'black' | 'white'
  readonly position?: 'bottom' | 'top'
  readonly custom?: boolean
  readonly list: readonly TabItem[]
}

/** A page's or component's JSON after resolution: component names point at absolute paths. */
export interface ComponentConfig extends WindowConfig {
  readonly component?: boolean
  readonly usingComponents: Readonly<Record<string, string>>
  readonly componentGenerics?: Readonly<Record<string, true | { readonly default?: string }>>
  readonly componentPlaceholder?: Readonly<Record<string, string>>
  readonly styleIsolation?: string
  readonly addGlobalClass?: boolean
  readonly pureDataPattern?: string
}

/** Something wrong with the project, shown in the console of the simulator. */
export interface BuildProblem {
  readonly level: 'error' | 'warning'
  readonly file: string
  readonly message: string
}

/** One style sheet; `scope` is the class prefix of an isolated component. */
export interface StyleSheet {
  readonly css: string
  readonly scope: string | null
}

export interface Bundle {
  readonly appId: string
  readonly projectName: string
  /** Pages in order, without a leading slash. */
  readonly pages: readonly string[]
  readonly entryPage: string
  readonly window: WindowConfig
  readonly tabBar: TabBarConfig | null
  readonly networkTimeout: Readonly<Record<string, number>>
  /** `v2` for the newer looks of built-in components. */
  readonly style: string
  /** By path without a leading slash; pages are here too. */
  readonly components: Readonly<Record<string, ComponentConfig>>
  readonly styles: Readonly<Record<string, StyleSheet>>
  readonly problems: readonly BuildProblem[]
}
