/** The page that a website login shows, in both languages: the QR code, and a stand-in for the phone that scans it. */
import { renderSVG } from 'uqr'

type Language = 'zh' | 'en'

const WORDS = {
  zh: {
    title: '微信登录（沙箱）',
    waiting: '请使用微信扫一扫登录',
    scanned: '扫描成功，请在手机上确认',
    refused: '你已取消此次登录，可重新扫描',
    expired: '二维码已失效，请刷新页面',
    sandbox: '这里是开发用的微信沙箱，没有真实的微信账号',
    who: '以谁的身份',
    scan: '扫一扫',
    confirm: '同意',
    cancel: '取消',
    done: '登录成功',
    wrong: '参数错误',
  },
  en: {
    title: 'WeChat login (sandbox)',
    waiting: 'Scan with WeChat to log in',
    scanned: 'Scanned. Confirm on the phone',
    refused: 'You cancelled. Scan again to log in',
    expired: 'This code is too old. Reload the page',
    sandbox: 'This is the development sandbox: no real WeChat account is involved',
    who: 'Log in as',
    scan: 'Scan',
    confirm: 'Allow',
    cancel: 'Cancel',
    done: 'Logged in',
    wrong: 'Wrong parameter',
  },
} as const satisfies Readonly<Record<Language, Readonly<Record<string, string>>>>

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`)

const STYLE = `body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;background:#f5f5f5;
font:15px/1.6 -apple-system,"PingFang SC","Noto Sans CJK SC",sans-serif;color:#333}
main{background:#fff;border-radius:12px;padding:32px 40px;text-align:center;box-shadow:0 2px 16px #0001}
h1{font-size:20px;font-weight:500;margin:0 0 16px}svg{width:220px;height:220px}
#phone{margin-top:20px;padding-top:16px;border-top:1px solid #eee;font-size:13px;color:#888}
input,button{font:inherit;padding:4px 10px;border:1px solid #ddd;border-radius:6px;margin:6px 2px}
button{background:#07c160;border-color:#07c160;color:#fff;cursor:pointer}`

const SCRIPT = `
const { uuid, phone } = document.body.dataset
const words = JSON.parse(document.querySelector('#words').textContent)
const state = document.querySelector('#state')
// Two looks may both see the confirmation; the code that the way back carries is good for one visit.
let leaving = false
const leave = () => { if (!leaving) { leaving = true; location.replace('/connect/return?uuid=' + uuid) } }
const act = (action) => fetch('/sandbox/scans/' + uuid, { method: 'POST', headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ action, user: document.querySelector('#user').value }) }).then(look)
for (const button of document.querySelectorAll('button')) button.onclick = () => act(button.dataset.action)
async function look() {
  const text = await (await fetch('/connect/l/qrconnect?uuid=' + uuid)).text()
  const code = Number(/wx_errcode=(\\d+)/.exec(text)[1])
  if (code === 405 && phone === undefined) leave()
  state.textContent = { 405: words.done, 408: words.waiting, 404: words.scanned, 403: words.refused, 402: words.expired }[code] ?? ''
  return code
}
(async () => { while (![405, 402].includes(await look())) await new Promise((done) => setTimeout(done, 500)) })()
`

export interface ScanPage {
  readonly language: Language
  readonly uuid: string
  readonly origin: string
  readonly appid: string
  /** The page on the phone that scanned the code: it stays where it is. */
  readonly phone: boolean
}

export const scanPage = ({ language, uuid, origin, appid, phone }: ScanPage): string => {
  const words = WORDS[language]
  const button = (action: 'scan' | 'confirm' | 'cancel') => `<button data-action="${action}">${words[action]}</button>`
  return `<!doctype html>
<html lang="${language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${words.title}</title>
<style>${STYLE}</style></head>
<body data-uuid="${escapeHtml(uuid)}" data-appid="${escapeHtml(appid)}"${phone ? ' data-phone' : ''}>
<main>
<h1>${words.title}</h1>
${renderSVG(`${origin}/connect/confirm?uuid=${uuid}`)}
<div id="state">${words.waiting}</div>
<div id="phone">${words.sandbox}<br>${words.who} <input id="user" value="user" size="12"><br>
${button('scan')}${button('confirm')}${button('cancel')}</div>
</main>
<script type="application/json" id="words">${JSON.stringify(words)}</script>
<script>${SCRIPT}</script>
</body>
</html>
`
}

/** Says which parameter was wrong. */
export const errorPage = (language: Language, parameter: string): string =>
  `<!doctype html><html lang="${language}"><meta charset="utf-8"><title>${WORDS[language].title}</title>
<style>${STYLE}</style><body><main><h1>${parameter} ${WORDS[language].wrong}</h1></main></body></html>
`
