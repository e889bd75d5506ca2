// Every word that a person reads, in both languages.

const WORDS = {
  zh: {
    title: '茶馆',
    guest: '茶客',
    arriving: '正在进门…',
    welcome: '初次光临，茶已备好',
    back: '欢迎回来',
    again: '登录已失效，已自动重新登录',
    gone: '茶凉了，随时再来',
    everywhere: '已在所有设备上退出',
    lost: '暂时连不上茶馆',
    refused: '没能登录，请稍后再试',
    busy: '来的人太多，请稍后再试',
    login: '微信登录',
    retry: '再试一次',
    logout: '退出登录',
    thisDevice: '仅退出这台设备',
    allDevices: '退出所有设备',
    wechat: '微信',
    phone: '手机号',
    bind: '绑定手机号',
    change: '换绑',
    since: '首次到访',
    last: '上次登录',
    bound: '手机号已绑定',
    denied: '没有授权，手机号未绑定',
    taken: '这个手机号属于另一位茶客',
    codeUsed: '授权已过期，请再点一次',
    today: '今天',
    yesterday: '昨天',
  },
  en: {
    title: 'Teahouse',
    guest: 'Guest',
    arriving: 'Coming in…',
    welcome: 'Your first visit. The tea is ready',
    back: 'Welcome back',
    again: 'Your login had ended. You are back in',
    gone: 'The tea is cold. Come back any time',
    everywhere: 'You are logged out on all devices',
    lost: 'The teahouse cannot be reached',
    refused: 'You could not be logged in. Try again later',
    busy: 'Too many guests. Try again later',
    login: 'Log in with WeChat',
    retry: 'Try again',
    logout: 'Log out',
    thisDevice: 'This device only',
    allDevices: 'All devices',
    wechat: 'WeChat',
    phone: 'Phone',
    bind: 'Add phone number',
    change: 'Change',
    since: 'First visit',
    last: 'Last login',
    bound: 'Your phone number was added',
    denied: 'Not allowed. No number was added',
    taken: 'This number belongs to another guest',
    codeUsed: 'The permission is too old. Tap again',
    today: 'Today',
    yesterday: 'Yesterday',
  },
}

/** 'zh' or 'en', from the phone's language. */
export const language = () => {
  const info = wx.getAppBaseInfo ? wx.getAppBaseInfo() : wx.getSystemInfoSync()
  return /^zh/i.test(info.language || 'zh') ? 'zh' : 'en'
}

/** The words of the phone's language. */
export const words = () => WORDS[language()]
