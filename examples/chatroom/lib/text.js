// Every word that a person reads, in both languages.

const WORDS = {
  zh: {
    title: '茶馆聊天室',
    welcome: '今天你是哪一壶茶？',
    another: '换一个',
    enter: '进入聊天室',
    room: '茶馆',
    online: (count) => `${count} 人在座`,
    connecting: '正在连接…',
    offline: '连接断开，正在重连…',
    earlier: '查看更早的消息',
    loading: '加载中…',
    beginning: '从这里开始聊起',
    placeholder: '说点什么…',
    send: '发送',
    failed: '未送达，点此重发',
    picture: '图片发送失败',
    empty: '茶已沏好，来说第一句话吧',
    today: '',
    yesterday: '昨天 ',
  },
  en: {
    title: 'Teahouse chat',
    welcome: 'Which tea are you today?',
    another: 'Another one',
    enter: 'Enter the room',
    room: 'Teahouse',
    online: (count) => (count === 1 ? '1 person here' : `${count} people here`),
    connecting: 'Connecting…',
    offline: 'Connection lost, reconnecting…',
    earlier: 'Earlier messages',
    loading: 'Loading…',
    beginning: 'This is where it began',
    placeholder: 'Say something…',
    send: 'Send',
    failed: 'Not delivered. Tap to retry',
    picture: 'The picture could not be sent',
    empty: 'The tea is ready. Say the first word',
    today: '',
    yesterday: 'Yesterday ',
  },
}

/** 'zh' or 'en', from the phone's language. */
export const language = () => {
  const info = wx.getAppBaseInfo ? wx.getAppBaseInfo() : wx.getSystemInfoSync()
  return /^zh/i.test(info.language || 'zh') ? 'zh' : 'en'
}

/** The words of the phone's language. */
export const words = () => WORDS[language()]
