/** The style sheet of the phone: WeChat's looks of bars, dialogs and built-in components. */

const SCREEN = `
html,body{margin:0;height:100%;overflow:hidden;background:#fff;-webkit-text-size-adjust:100%}
.sim-screen{position:fixed;inset:0;overflow:hidden;background:#fff;display:flex;flex-direction:column;font:16px -apple-system,BlinkMacSystemFont,"PingFang SC","Helvetica Neue",Helvetica,"Noto Sans CJK SC",sans-serif;line-height:1.4;-webkit-user-select:none;user-select:none;-webkit-tap-highlight-color:transparent}
.sim-status{position:absolute;z-index:30;top:0;left:0;right:0;height:var(--sim-status);padding:0 14px;display:flex;justify-content:space-between;align-items:center;font-size:12px;font-weight:600;pointer-events:none;color:#808080;mix-blend-mode:difference}
.sim-pages{position:relative;flex:1;min-height:0}
.sim-page{position:absolute;inset:0;display:flex;flex-direction:column;background:#fff}
.sim-navigation{position:relative;z-index:20;flex:none;padding-top:var(--sim-status);background:var(--sim-nav-background,#000);color:var(--sim-nav-front,#fff)}
.sim-navigation.sim-custom{position:absolute;left:0;right:0;top:0;background:none;pointer-events:none}
.sim-custom .sim-heading,.sim-custom .sim-back{display:none!important}
.sim-bar{position:relative;height:44px;display:flex;align-items:center;justify-content:center}
.sim-heading{display:flex;align-items:center;gap:6px;max-width:calc(100% - 200px)}
.sim-title{font-size:17px;font-weight:500;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.sim-back{position:absolute;left:0;top:0;width:44px;height:44px;display:flex;align-items:center;justify-content:center;cursor:pointer}
.sim-arrow{display:flex}
.sim-capsule{position:absolute;right:7px;top:6px;width:87px;height:32px;box-sizing:border-box;border:.5px solid #0000001a;border-radius:16px;display:flex;align-items:center;justify-content:space-around;background:#ffffff99;color:#000;font-size:9px;letter-spacing:1px}
.sim-ring{width:16px;height:16px;box-sizing:border-box;border:2.5px solid #000;border-radius:50%;display:flex;align-items:center;justify-content:center}
.sim-ring::after{content:"";width:5px;height:5px;border-radius:50%;background:#000}
.sim-viewport{position:relative;overflow:hidden;contain:layout;flex:none}
.sim-scroll{height:100%;overflow-x:hidden;overflow-y:auto;-webkit-overflow-scrolling:touch;scrollbar-width:none;transition:margin-top .2s}
.sim-scroll::-webkit-scrollbar,wx-scroll-view[no-scrollbar]::-webkit-scrollbar{display:none}
.sim-tabbar{position:relative;z-index:15;flex:none;display:flex;border-top:.5px solid #0000001a;background:#fff}
.sim-tab{position:relative;flex:1;height:49px;display:flex;flex-direction:column;align-items:center;justify-content:center;gap:2px;font-size:10px;cursor:pointer}
.sim-tab img{width:27px;height:27px;object-fit:contain}
.sim-tab img[style*="none"]+span{font-size:15px}
.sim-badge{position:absolute;top:3px;left:calc(50% + 8px);min-width:8px;height:16px;padding:0 4px;border-radius:9px;background:#fa5151;color:#fff;font:10px/16px sans-serif;text-align:center}
.sim-badge.sim-dot{min-width:8px;width:8px;height:8px;padding:0}
.sim-pull,.sim-refresher{display:flex;align-items:center;justify-content:center;gap:6px;overflow:hidden}
.sim-pull{position:absolute;pointer-events:none;left:0;right:0;top:0;height:60px;opacity:0;transition:opacity .2s}
.sim-refresher{height:0;transition:height .2s}
.sim-pull i,.sim-refresher i{width:8px;height:8px;border-radius:50%;background:#0006;animation:sim-blink .9s infinite}
.sim-pull i:nth-child(2),.sim-refresher i:nth-child(2){animation-delay:.2s}
.sim-pull i:nth-child(3),.sim-refresher i:nth-child(3){animation-delay:.4s}
.sim-pull-light i{background:#fff9}
@keyframes sim-blink{0%,100%{opacity:.35}40%{opacity:1}}
@keyframes sim-spin{to{transform:rotate(1turn)}}
.sim-spinner{display:inline-block;width:20px;height:20px;box-sizing:border-box;border:2px solid currentColor;border-right-color:transparent;border-radius:50%;animation:sim-spin .9s linear infinite;opacity:.8}
.sim-nav-loading{width:16px;height:16px}
`

const OVERLAYS = `
.sim-overlays{position:absolute;inset:0;z-index:40;pointer-events:none;color:#000}
.sim-overlays>*{pointer-events:auto}
.sim-mask{position:absolute;inset:0;background:#0009;display:flex;align-items:center;justify-content:center}
.sim-mask-bottom{align-items:flex-end}
.sim-toast-holder{position:absolute;inset:0;display:flex;align-items:center;justify-content:center;pointer-events:none}
.sim-toast-holder.sim-mask-clear{pointer-events:auto}
.sim-toast{width:136px;min-height:136px;box-sizing:border-box;padding:16px 12px;border-radius:12px;background:#4c4c4c;color:#ffffffe6;display:flex;flex-direction:column;align-items:center;justify-content:center;gap:12px;text-align:center}
.sim-toast p{margin:0;font-size:15px;line-height:1.4;word-break:break-all}
.sim-toast-plain{width:auto;max-width:200px;min-height:0;padding:12px 16px;border-radius:8px}
.sim-toast-icon{font-size:38px;line-height:40px}
.sim-toast-image{width:40px;height:40px}
.sim-toast-loading{width:36px;height:36px;border-width:3px}
.sim-modal{width:min(320px,calc(100% - 56px));background:#fff;border-radius:12px;overflow:hidden;text-align:center}
.sim-modal-title{padding:32px 24px 0;font-size:17px;font-weight:600}
.sim-modal-content{padding:16px 24px 32px;font-size:17px;color:#0000008c;white-space:pre-wrap;word-break:break-word;max-height:50vh;overflow:auto}
.sim-modal-content.sim-alone{padding-top:32px;color:#000000e6}
.sim-modal-input{display:block;width:calc(100% - 48px);margin:16px 24px 24px;height:64px;box-sizing:border-box;border:0;border-radius:6px;background:#f2f2f2;padding:8px;font:inherit;resize:none;-webkit-user-select:text;user-select:text}
.sim-modal-buttons{display:flex;border-top:.5px solid #0000001a}
.sim-modal-button{flex:1;line-height:56px;font-size:17px;font-weight:600;cursor:pointer}
.sim-modal-button+.sim-modal-button{border-left:.5px solid #0000001a}
.sim-sheet,.sim-picker{width:100%;background:#fff;border-radius:12px 12px 0 0;overflow:hidden;padding-bottom:var(--sim-safe-bottom)}
.sim-sheet-item{line-height:56px;text-align:center;font-size:17px;border-bottom:.5px solid #0000001a;cursor:pointer}
.sim-sheet-cancel{border-top:8px solid #f7f7f7;border-bottom:0}
.sim-picker-head{display:flex;justify-content:space-between;padding:14px 16px;font-size:17px}
.sim-picker-cancel{color:#0000008c;cursor:pointer}.sim-picker-confirm{color:#07c160;font-weight:600;cursor:pointer}
.sim-picker-columns{display:flex;height:238px}
.sim-picker-column{flex:1;overflow-y:auto;padding:85px 0;scrollbar-width:none;text-align:center}
.sim-picker-row{line-height:34px;color:#0006;cursor:pointer}
.sim-picker-row.sim-chosen{color:#000;font-weight:600}
.sim-preview{position:absolute;inset:0;background:#000;display:flex;align-items:center;justify-content:center}
.sim-preview img{max-width:100%;max-height:100%}
.sim-preview span{position:absolute;top:56px;color:#fff;font-size:14px}
`

const COMPONENTS = `
[hidden]{display:none!important}
wx-page{display:block;min-height:100%;font-size:16px;line-height:normal;color:#000;word-wrap:break-word}
wx-view,wx-form,wx-checkbox-group,wx-radio-group,wx-cover-view,wx-navigator,wx-root-portal,wx-rich-text,wx-picker{display:block}
wx-cover-view{white-space:nowrap;line-height:1.2}
wx-text{white-space:pre-line}
wx-text[space]{white-space:pre-wrap}
wx-text[selectable]{-webkit-user-select:text;user-select:text}
wx-label{display:inline}
wx-image,wx-cover-image{position:relative;display:inline-block;width:320px;height:240px;overflow:hidden}
wx-cover-image{width:auto;height:auto}
wx-image>img,wx-cover-image>img{position:absolute;left:0;top:0;width:100%;height:100%;object-fit:fill}
wx-cover-image>img{position:static;display:block}
wx-image>img:not([src]){display:none}
wx-image[mode=aspectFit]>img{object-fit:contain}
wx-image[mode=aspectFill]>img{object-fit:cover}
wx-image[mode=widthFix]{height:auto!important}
wx-image[mode=widthFix]>img{position:static;display:block;height:auto}
wx-image[mode=heightFix]{width:auto!important}
wx-image[mode=heightFix]>img{position:static;display:block;width:auto}
wx-image[mode=center]>img,wx-image[mode^=top]>img,wx-image[mode^=bottom]>img,wx-image[mode=left]>img,wx-image[mode=right]>img{object-fit:none}
wx-image[mode=top]>img{object-position:top}wx-image[mode=bottom]>img{object-position:bottom}
wx-image[mode=left]>img{object-position:left}wx-image[mode=right]>img{object-position:right}
wx-image[mode="top left"]>img{object-position:left top}wx-image[mode="top right"]>img{object-position:right top}
wx-image[mode="bottom left"]>img{object-position:left bottom}wx-image[mode="bottom right"]>img{object-position:right bottom}
wx-button{position:relative;display:block;margin-left:auto;margin-right:auto;padding:0 14px;box-sizing:border-box;font-size:18px;text-align:center;line-height:2.55555556;border-radius:5px;overflow:hidden;color:#000;background-color:#f8f8f8;cursor:pointer}
wx-button::after{content:" ";width:200%;height:200%;position:absolute;top:0;left:0;border:1px solid #0003;transform:scale(.5);transform-origin:0 0;box-sizing:border-box;border-radius:10px;pointer-events:none}
wx-button[type=primary]{color:#fff;background-color:#1aad19}
wx-button[type=warn]{color:#fff;background-color:#e64340}
wx-button[disabled]{color:#ffffff99}
wx-button[disabled]:not([type]),wx-button[disabled][type=default]{color:#0000004d;background-color:#f7f7f7}
wx-button[disabled][type=primary]{background-color:#9ed99d}
wx-button[disabled][type=warn]{background-color:#ec8b89}
wx-button[plain]{color:#353535;border:1px solid #353535;background-color:transparent}
wx-button[plain]::after{border-width:0}
wx-button[plain][type=primary]{color:#1aad19;border-color:#1aad19}
wx-button[plain][type=warn]{color:#e64340;border-color:#e64340}
wx-button[size=mini]{display:inline-block;line-height:2.3;font-size:13px;padding:0 1.34em}
wx-button[loading]::before{content:" ";display:inline-block;width:18px;height:18px;margin-right:6px;vertical-align:-3px;box-sizing:border-box;border:2px solid currentColor;border-right-color:transparent;border-radius:50%;animation:sim-spin .9s linear infinite}
.button-hover{color:#0009;background-color:#dedede}
.button-hover[type=primary]{color:#fff9;background-color:#179b16}
.navigator-hover{background-color:#0000001a;opacity:.7}
:where([data-style=v2]) wx-button:where(:not([size=mini])){padding:8px 24px;line-height:1.41176471;font-size:17px;font-weight:700;border-radius:4px}
:where([data-style=v2]) wx-button:not([size=mini]){width:184px}
:where([data-style=v2]) wx-button:not([plain])::after{display:none}
:where([data-style=v2]) wx-button{color:#06ae56;background-color:#f2f2f2}
:where([data-style=v2]) wx-button[type=primary]{color:#fff;background-color:#07c160}
:where([data-style=v2]) wx-button[type=warn]{color:#fa5151;background-color:#f2f2f2}
:where([data-style=v2]) wx-button[plain]{background-color:transparent}
wx-input{position:relative;display:block;height:1.4em;min-height:1.4em;overflow:hidden;line-height:1.4em;text-overflow:clip;white-space:nowrap}
wx-input>input,wx-textarea>textarea{position:relative;width:100%;height:100%;box-sizing:border-box;margin:0;padding:0;border:0;outline:0;background:transparent;font:inherit;color:inherit;text-align:inherit;letter-spacing:inherit;-webkit-user-select:text;user-select:text;opacity:1}
wx-input>input{display:block;min-height:100%}
.sim-placeholder{position:absolute;inset:0;padding:inherit;box-sizing:border-box;color:gray;pointer-events:none;overflow:hidden;text-overflow:ellipsis}
wx-input>.sim-placeholder{display:flex;align-items:center}
wx-input>.sim-placeholder[hidden]{display:none}
wx-textarea{position:relative;display:block;width:300px;height:150px;line-height:1.2;white-space:pre-wrap;word-break:break-word}
wx-textarea>textarea{display:block;resize:none;overflow:auto}
wx-textarea[auto-height]{height:auto!important}
wx-textarea[auto-height]>textarea{overflow:hidden}
wx-scroll-view{display:block;width:100%;overflow:hidden;overscroll-behavior:contain}
wx-scroll-view[scroll-x]{overflow-x:auto}
wx-scroll-view[scroll-y]{overflow-y:auto}
wx-scroll-view[enable-flex]{display:flex}
wx-swiper{position:relative;display:block;height:150px;overflow:hidden}
wx-swiper-item{display:block;width:100%;height:100%;left:0;top:0;overflow:hidden}
.sim-swiper-dots{position:absolute;left:0;right:0;bottom:10px;display:flex;justify-content:center;gap:8px;pointer-events:none}
.sim-swiper-dots i{width:8px;height:8px;border-radius:50%}
wx-icon{display:inline-block;font-size:0}
wx-icon>i{display:inline-block;text-align:center;font-style:normal;font-weight:700;border-radius:50%;background:var(--icon);color:#fff}
wx-icon>i.sim-plain{background:none;color:var(--icon)}
wx-switch,wx-checkbox,wx-radio{display:inline-block;cursor:pointer;vertical-align:middle}
.sim-switch{position:relative;display:inline-block;width:52px;height:32px;box-sizing:border-box;border-radius:16px;background:#dfdfdf;transition:background .1s}
.sim-switch::after{content:"";position:absolute;top:1px;left:1px;width:30px;height:30px;border-radius:50%;background:#fff;box-shadow:0 1px 3px #0006;transition:transform .2s}
.sim-switch[checked]{background:var(--color)}
.sim-switch[checked]::after{transform:translateX(20px)}
.sim-checkbox,.sim-radio{display:inline-flex;align-items:center;justify-content:center;width:22px;height:22px;margin-right:5px;box-sizing:border-box;border:1px solid #d1d1d1;border-radius:3px;background:#fff;vertical-align:middle;font-style:normal}
.sim-radio{border-radius:50%}
.sim-checkbox[checked]::after,.sim-radio[checked]::after{content:"✓";font-size:16px;line-height:1;color:var(--color);font-weight:700}
.sim-radio[checked]{background:var(--color);border-color:var(--color)}
.sim-radio[checked]::after{color:#fff}
.sim-switch[disabled],.sim-checkbox[disabled],.sim-radio[disabled]{opacity:.6}
wx-slider{display:flex;align-items:center;margin:10px 18px}
wx-slider>input{flex:1;min-width:0;height:28px;margin:0;-webkit-appearance:none;appearance:none;background:linear-gradient(var(--active),var(--active)) 0/var(--part) 2px no-repeat,linear-gradient(var(--rest),var(--rest)) 0/100% 2px no-repeat;background-position:0 center}
wx-slider>input::-webkit-slider-thumb{-webkit-appearance:none;width:var(--knob);height:var(--knob);border-radius:50%;background:var(--knob-color);box-shadow:0 0 4px #0003}
wx-slider>span:not(:empty){width:3ch;margin-left:12px;color:#888;font-size:14px}
wx-progress{display:flex;align-items:center}
.sim-progress-bar{flex:1;overflow:hidden}
.sim-progress-inner{height:100%;transition:width .2s}
wx-progress>span:not(:empty){margin-left:15px;font-size:16px}
wx-video{position:relative;display:inline-block;width:300px;height:225px;background:#000}
wx-video>video{width:100%;height:100%}
[data-sim-stub]{display:inline-block;min-width:100px;min-height:40px;border:1px dashed #fa5151}
[data-sim-stub]::before{content:attr(data-sim-stub);color:#fa5151;font-size:12px}
`

/** Adds the sheet to the page. */
export function addStyles(): void {
  const style = document.createElement('style')
  style.textContent = SCREEN + OVERLAYS + COMPONENTS
  document.head.append(style)
}
