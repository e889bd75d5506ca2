// Every word that a person reads, in both languages.

const WORDS = {
  zh: {
    title: '茶馆相册',
    arriving: '正在进门…',
    photos: (count) => `${count} 张照片`,
    videos: (count) => `${count} 段视频`,
    empty: '相册还空着',
    invite: '放进第一张照片，大家马上就能看到',
    add: '添加照片和视频',
    uploading: '正在上传',
    more: (count) => `还有 ${count} 个在排队`,
    photo: '照片',
    video: '视频',
    offline: '网络断开了，恢复后自动继续',
    away: '正在重新连接…',
    queued: '排队中',
    sending: '',
    waiting: '等待网络',
    paused: '已暂停',
    failed: '上传失败，点这里重试',
    finishing: '即将完成',
    lost: '暂时连不上茶馆',
    retry: '再试一次',
    today: '今天',
    yesterday: '昨天',
    day: (month, day) => `${month}月${day}日`,
    remove: '删除',
    sure: '从相册里删除？',
    sureText: '所有人都将看不到它。',
    cancel: '取消',
    removed: '已经不在相册里了',
    notRemoved: '没能删除，请稍后再试',
    mine: '我',
  },
  en: {
    title: 'Teahouse album',
    arriving: 'Coming in…',
    photos: (count) => (count === 1 ? '1 photo' : `${count} photos`),
    videos: (count) => (count === 1 ? '1 video' : `${count} videos`),
    empty: 'The album is empty',
    invite: 'Put the first picture in, and everybody sees it at once',
    add: 'Add photos and videos',
    uploading: 'Uploading',
    more: (count) => `${count} more in line`,
    photo: 'Photo',
    video: 'Video',
    offline: 'No network. It goes on by itself later',
    away: 'Connecting again…',
    queued: 'In line',
    sending: '',
    waiting: 'Waiting for network',
    paused: 'Paused',
    failed: 'Failed. Tap to retry',
    finishing: 'Almost there',
    lost: 'The teahouse cannot be reached',
    retry: 'Try again',
    today: 'Today',
    yesterday: 'Yesterday',
    day: (month, day) =>
      `${['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][month - 1]} ${day}`,
    remove: 'Delete',
    sure: 'Delete from the album?',
    sureText: 'Nobody will see it any more.',
    cancel: 'Cancel',
    removed: 'It is not in the album any more',
    notRemoved: 'It could not be deleted. Try again later',
    mine: 'Me',
  },
}

/** 'zh' or 'en', from the phone's language. */
export const language = () => {
  const info = wx.getAppBaseInfo ? wx.getAppBaseInfo() : wx.getSystemInfoSync()
  return /^zh/i.test(info.language || 'zh') ? 'zh' : 'en'
}

/** The words of the phone's language. */
export const words = () => WORDS[language()]
