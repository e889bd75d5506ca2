// How a guest looks before anybody told their name: a tea, a colour and a number, always the same for the same user.

const TEAS = {
  zh: ['龙井', '碧螺春', '铁观音', '大红袍', '普洱', '毛尖', '白毫银针', '正山小种', '六安瓜片', '君山银针'],
  en: [
    'Longjing',
    'Biluochun',
    'Tieguanyin',
    'Dahongpao',
    'Pu’er',
    'Maojian',
    'Silver Needle',
    'Lapsang',
    'Guapian',
    'Junshan',
  ],
}
const COLOURS = [
  '#7a9e7e',
  '#c97b63',
  '#5b8aa6',
  '#b08ea2',
  '#d0a24c',
  '#6b7fa8',
  '#8f9a5b',
  '#c26a7a',
  '#4f9d97',
  '#a67c52',
]

/** A number from the user's id, evenly spread. */
const numberOf = (id) => [...id].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 1000003, 7)

/** `{ name, initial, colour }` of a user id. */
export const portraitOf = (id, language) => {
  const number = numberOf(id)
  const tea = TEAS[language][number % 10]
  return { name: `${tea}·${100 + (number % 900)}`, initial: tea.slice(0, 1), colour: COLOURS[(number >> 4) % 10] }
}
