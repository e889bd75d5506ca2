/** The two HTML pages: the bare one is the phone's screen, the other puts it in a frame with controls. */

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

export interface PageOptions {
  readonly title: string
  readonly token: string
}

/** The phone's screen, filling the viewport. */
export const barePage = ({ title, token }: PageOptions): string => `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1, maximum-scale=1, viewport-fit=cover">
<meta name="sim-token" content="${token}">
<title>${escapeHtml(title)}</title>
<script src="/__sim/runtime.js"></script>
<script src="/__sim/app.js"></script>
</head>
<body></body>
</html>
`

const FRAME_STYLE = `
html,body{margin:0;height:100%;background:#ebedf0;font:13px/1.4 -apple-system,"PingFang SC","Noto Sans CJK SC",sans-serif;color:#333}
body{display:flex;flex-direction:column;align-items:center;gap:12px;padding:16px 0;box-sizing:border-box}
#controls{display:flex;gap:8px;flex-wrap:wrap;align-items:center;background:#fff;border-radius:8px;padding:8px 12px;box-shadow:0 1px 3px #0002}
#controls button,#controls select{font:inherit;border:1px solid #d5d8dc;background:#f7f8fa;border-radius:5px;padding:3px 10px;cursor:pointer}
#controls b{font-weight:600}
#state{min-width:5em;color:#07c160}
#phone{background:#1b1b1d;border-radius:46px;padding:12px;box-shadow:0 8px 30px #0004}
#phone iframe{display:block;border:0;border-radius:36px;background:#fff;width:375px;height:812px}
`

const FRAME_SCRIPT = `
const frame = document.querySelector('iframe')
const state = document.querySelector('#state')
const simulator = () => frame.contentWindow.__simulator
const query = new URLSearchParams(location.search)
query.set('bare', '1')
if (!query.has('device')) query.set('device', 'iphone-x')
frame.src = '/?' + query
document.querySelector('#user').textContent = query.get('user') || 'user'
document.querySelector('#background').onclick = () => simulator().goBackground()
document.querySelector('#foreground').onclick = () => simulator().goForeground()
document.querySelector('#network').onchange = (event) => simulator().setNetwork(event.target.value)
document.querySelector('#restart').onclick = () => frame.contentWindow.location.reload()
document.querySelector('#clear').onclick = () => { simulator().clearStorage(); frame.contentWindow.location.reload() }
setInterval(() => { state.textContent = simulator()?.state ?? '' }, 300)
`

/** The phone in its frame, with the control bar. */
export const framePage = ({ title }: PageOptions): string => `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${FRAME_STYLE}</style>
</head>
<body>
<div id="controls">
<b>${escapeHtml(title)}</b> <span id="user"></span>
<button id="background">切后台</button><button id="foreground">回前台</button>
<select id="network"><option>wifi</option><option>5g</option><option>4g</option><option>3g</option><option>2g</option><option>none</option></select>
<button id="restart">重新编译</button><button id="clear">清缓存</button>
<span id="state"></span>
</div>
<div id="phone"><iframe title="phone" allow="clipboard-read; clipboard-write"></iframe></div>
<script>${FRAME_SCRIPT}</script>
</body>
</html>
`
