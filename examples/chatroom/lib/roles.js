// Who one can be: a tea's name and an avatar colour.

const NAMES = {
  zh: [
    '龙井',
    '碧螺春',
    '铁观音',
    '大红袍',
    '普洱',
    '毛尖',
    '白毫银针',
    '正山小种',
    '六安瓜片',
    '茉莉花茶',
    '君山银针',
    '祁门红茶',
  ],
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
    'Jasmine',
    'Junshan',
    'Keemun',
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

const pick = (list) => list[Math.floor(Math.random() * list.length)]

/** A random role: `{ name, colour }`. The number makes two people of the same tea tell each other apart. */
export const randomRole = (language) => ({
  name: `${pick(NAMES[language])}·${100 + Math.floor(Math.random() * 900)}`,
  colour: pick(COLOURS),
})
