/** Content judgement by magic words, so that a test decides what is found. */

export type Suggest = 'pass' | 'review' | 'risky'

export interface Word {
  readonly word: string
  readonly suggest: Suggest
  readonly label: number
}

/** The platform's labels. */
export const LABELS: Readonly<Record<string, number>> = {
  ads: 10001,
  politics: 20001,
  porn: 20002,
  abuse: 20003,
  crime: 20006,
  fraud: 20008,
  vulgar: 20012,
  copyright: 20013,
  other: 21000,
}

export const NORMAL = 100

/** `magic-risky-porn`, `magic-review-ads` and so on: one word for every label and judgement. */
export const magicWords: readonly Word[] = Object.entries(LABELS).flatMap(([name, label]) =>
  (['review', 'risky'] as const).map((suggest) => ({ word: `magic-${suggest}-${name}`, suggest, label })),
)

export interface Finding {
  readonly strategy: 'keyword' | 'content_model'
  readonly errcode: 0
  readonly suggest: Suggest
  readonly label: number
  readonly prob?: number
  readonly level?: number
  readonly keyword?: string
}

export interface Judgement {
  readonly result: { readonly suggest: Suggest; readonly label: number }
  readonly detail: readonly Finding[]
}

const WEIGHT: Readonly<Record<Suggest, number>> = { pass: 0, review: 1, risky: 2 }

export class Moderation {
  #words: readonly Word[] = magicWords

  /** Adds a word of the test's own. */
  add(word: Word): void {
    this.#words = [...this.#words.filter((each) => each.word !== word.word), word]
  }

  words(): readonly Word[] {
    return this.#words
  }

  /** The gravest word decides. */
  judge(text: string): Judgement {
    const lower = text.toLowerCase()
    const found = this.#words.filter(({ word }) => lower.includes(word.toLowerCase()))
    const worst = [...found].sort((left, right) => WEIGHT[right.suggest] - WEIGHT[left.suggest])[0]
    const result = { suggest: worst?.suggest ?? 'pass', label: worst?.label ?? NORMAL } as const
    const model: Finding = { strategy: 'content_model', errcode: 0, ...result, prob: worst === undefined ? 10 : 90 }
    const keywords = found.map(
      ({ word, suggest, label }): Finding => ({
        strategy: 'keyword',
        errcode: 0,
        suggest,
        label,
        level: 20,
        keyword: word,
      }),
    )
    return { result, detail: [model, ...keywords] }
  }

  clear(): void {
    this.#words = magicWords
  }
}
