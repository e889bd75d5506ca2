/** Toasts, dialogs, action sheets, previews and the clipboard: parameters and answers here, drawing in the host. */
import { arrayOf, asyncApi, flagOf, numberOf, type Options, stringOf, wrongParameter } from './call.ts'
import type { ModalCall } from './host.ts'
import type { Phone } from './phone.ts'

/** One toast or loading box at a time, which hides after its duration. */
function createToast(phone: Phone) {
  let timer: number | null = null
  const hide = () => {
    if (timer !== null) phone.clock.stop(timer)
    timer = null
    phone.host.ui.hideToast()
  }
  const show = (kind: 'toast' | 'loading', options: Options) => {
    hide()
    phone.host.ui.showToast({
      kind,
      title: stringOf(options.title),
      icon: kind === 'loading' ? 'loading' : stringOf(options.icon, 'success'),
      image: stringOf(options.image),
      mask: flagOf(options.mask),
    })
    if (kind === 'toast') timer = phone.clock.start(hide, numberOf(options.duration, 1500), { app: false })
  }
  const showing = (name: 'showToast' | 'showLoading', kind: 'toast' | 'loading') =>
    asyncApi(name, phone, (options, settle) => {
      const refusal = phone.takeFailure(name)?.reason ?? wrongParameter(options, 'title', 'String')
      if (refusal) return settle.fail(refusal)
      show(kind, options)
      settle.ok()
    })
  const hiding = (name: string) =>
    asyncApi(name, phone, (_, settle) => {
      hide()
      settle.ok()
    })
  return {
    showToast: showing('showToast', 'toast'),
    showLoading: showing('showLoading', 'loading'),
    hideToast: hiding('hideToast'),
    hideLoading: hiding('hideLoading'),
  }
}

const modalCall = (options: Options): ModalCall => ({
  title: stringOf(options.title),
  content: stringOf(options.content),
  showCancel: flagOf(options.showCancel, true),
  cancelText: stringOf(options.cancelText, '取消'),
  cancelColor: stringOf(options.cancelColor, '#000000'),
  confirmText: stringOf(options.confirmText, '确定'),
  confirmColor: stringOf(options.confirmColor, '#576B95'),
  editable: flagOf(options.editable),
  placeholderText: stringOf(options.placeholderText),
})

function createDialogs(phone: Phone) {
  return {
    showModal: asyncApi('showModal', phone, (options, settle) => {
      const call = modalCall(options)
      for (const [name, text] of [
        ['cancelText', call.cancelText],
        ['confirmText', call.confirmText],
      ] as const)
        if ([...text].length > 4) return settle.fail(`${name} length should not larger than 4 Chinese characters`)
      phone.host.ui.showModal(call, (answer) =>
        settle.ok({
          confirm: answer.confirm,
          cancel: !answer.confirm,
          content: call.editable && answer.confirm ? (answer.content ?? '') : null,
        }),
      )
    }),
    showActionSheet: asyncApi('showActionSheet', phone, (options, settle) => {
      const wrong = wrongParameter(options, 'itemList', 'Array')
      if (wrong) return settle.fail(wrong)
      const items = arrayOf(options.itemList).map(String)
      if (items.length > 6) return settle.fail('parameter error: itemList should not be larger than 6')
      if (items.length === 0) return settle.fail('parameter error: itemList should have at least one item')
      phone.host.ui.showActionSheet(items, stringOf(options.itemColor, '#000000'), (index) => {
        if (index < 0) settle.fail('cancel')
        else settle.ok({ tapIndex: index })
      })
    }),
  }
}

/** Builds the functions that show something over the pages. */
export function createUi(phone: Phone) {
  return {
    ...createToast(phone),
    ...createDialogs(phone),
    previewImage: asyncApi('previewImage', phone, (options, settle) => {
      const wrong = wrongParameter(options, 'urls', 'Array')
      if (wrong) return settle.fail(wrong)
      const urls = arrayOf(options.urls).map(String)
      phone.host.ui.previewImage(urls, Math.max(0, urls.indexOf(stringOf(options.current))))
      settle.ok()
    }),
    setClipboardData: asyncApi('setClipboardData', phone, (options, settle) => {
      const wrong = wrongParameter(options, 'data', 'String')
      if (wrong) return settle.fail(wrong)
      phone.host.ui.clipboard.set(stringOf(options.data))
      settle.ok()
    }),
    getClipboardData: asyncApi('getClipboardData', phone, (_, settle) =>
      settle.ok({ data: phone.host.ui.clipboard.get() }),
    ),
  }
}
