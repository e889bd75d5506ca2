/** button: looks, form types and open types. */
import { functionOf, optionsOf } from '../../wx/call.ts'
import { extensionOf } from '../../wx/media-types.ts'
import { chooseFiles } from '../overlays.ts'
import type { Control, Spec } from './control.ts'
import { formOf } from './form.ts'

type Opener = (control: Control) => void

const OPENERS: Readonly<Record<string, Opener>> = {
  getPhoneNumber: (control) => {
    const planned = control.services.core.phone.takeFailure('getPhoneNumber')
    if (planned)
      return control.emit('getphonenumber', { errMsg: `getPhoneNumber:fail ${planned.reason}`, ...errno(planned) })
    control.services.core.hooks.phoneNumber((answer) =>
      control.emit(
        'getphonenumber',
        'error' in answer
          ? { errMsg: `getPhoneNumber:fail ${answer.error}` }
          : { errMsg: 'getPhoneNumber:ok', ...answer },
      ),
    )
  },
  chooseAvatar: (control) =>
    chooseFiles({ count: 1, accept: 'image/*', camera: false }, (files) => {
      const file = files?.[0]
      if (!file) return
      const path = control.services.core.files.addTemporary(file.bytes, extensionOf(file.bytes, file.name, file.type))
      control.emit('chooseavatar', { avatarUrl: path })
    }),
  share: (control) => share(control),
  getUserInfo: (control) =>
    control.call('getUserInfo', { success: (result: unknown) => control.emit('getuserinfo', result) }),
  openSetting: (control) =>
    control.call('openSetting', { success: (result: unknown) => control.emit('opensetting', result) }),
  contact: (control) => control.emit('contact', { errMsg: 'enterContact:ok', path: '', query: {} }),
  launchApp: (control) => control.emit('error', { errMsg: 'launchApp:fail' }),
  agreePrivacyAuthorization: (control) => control.emit('agreeprivacyauthorization', {}),
}

const errno = (planned: { errno?: number }) => (planned.errno === undefined ? {} : { errno: planned.errno })

/** Asks the page what to share and keeps it where a test can see it. */
function share(control: Control): void {
  const page = control.services.pages.current
  const hook = functionOf(optionsOf(page?.instance).onShareAppMessage)
  if (!page || !hook) return
  const { core } = control.services
  const target = { id: control.node.id, dataset: { ...control.node.dataset } }
  const result = core.phone.guard(() => Reflect.apply(hook, page.instance, [{ from: 'button', target }]))
  core.phone.host.log('log', 'shared', { title: '', path: page.route, ...optionsOf(result) })
  core.phone.host.ui.showToast({ kind: 'toast', title: '已转发', icon: 'success', image: '', mask: false })
  core.phone.clock.start(() => core.phone.host.ui.hideToast(), 1500, { app: false })
}

const button: Spec = {
  properties: {
    size: { type: String, value: 'default' },
    type: { type: String, value: 'default' },
    plain: Boolean,
    disabled: Boolean,
    loading: Boolean,
    formType: String,
    openType: String,
    hoverClass: { type: String, value: 'button-hover' },
    lang: String,
    sessionFrom: String,
    sendMessageTitle: String,
    sendMessagePath: String,
    sendMessageImg: String,
    showMessageCard: Boolean,
    appParameter: String,
    phoneNumberNoQuotaToast: Boolean,
    createliveactivity: null,
    needShowEntrance: null,
    entrancePath: null,
  },
  setup: (control) => {
    control.onTap(() => {
      const formType = control.text('formType')
      if (formType === 'submit' || formType === 'reset') formOf(control.element)?.[formType]()
      OPENERS[control.text('openType')]?.(control)
    })
    return {
      update: () => {
        const { element } = control
        for (const name of ['size', 'type']) element.setAttribute(name, control.text(name))
        for (const name of ['plain', 'disabled', 'loading']) element.toggleAttribute(name, control.flag(name))
      },
    }
  },
}

/** The component of this file. */
export const buttonSpecs: Readonly<Record<string, Spec>> = { button }
