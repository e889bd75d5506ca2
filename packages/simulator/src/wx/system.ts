/** Device, window and network information, life-cycle listeners, base64, and the small functions of wx. */
import { base64Decode, base64Encode, isArrayBuffer, toArrayBuffer } from './bytes.ts'
import { asyncApi, functionOf, Listeners, stringOf } from './call.ts'
import type { Phone } from './phone.ts'
import { USER_DATA_PATH } from './virtual-files.ts'

const SDK_VERSION = '3.5.0'
const NAVIGATION_HEIGHT = 44

function windowInfo(phone: Phone) {
  const device = phone.host.device()
  const { screenWidth, screenHeight, statusBarHeight, safeBottom } = device
  return {
    pixelRatio: device.pixelRatio,
    screenWidth,
    screenHeight,
    windowWidth: device.windowWidth,
    windowHeight: device.windowHeight,
    statusBarHeight,
    screenTop: screenHeight - device.windowHeight,
    safeArea: {
      left: 0,
      right: screenWidth,
      top: statusBarHeight,
      bottom: screenHeight - safeBottom,
      width: screenWidth,
      height: screenHeight - safeBottom - statusBarHeight,
    },
  }
}

function deviceInfo(phone: Phone) {
  const { brand, model, system, platform } = phone.host.device()
  return { brand, model, system, platform, abi: '', benchmarkLevel: 1, memorySize: 4096, cpuType: 'unknown' }
}

function appBaseInfo(phone: Phone) {
  const { language, theme } = phone.host.device()
  return {
    SDKVersion: SDK_VERSION,
    version: '8.0.50',
    language,
    theme,
    enableDebug: false,
    fontSizeSetting: 16,
    fontSizeScaleFactor: 1,
    host: { env: 'WeChat', appId: '', version: 0 },
  }
}

const systemInfo = (phone: Phone) => ({
  ...windowInfo(phone),
  ...deviceInfo(phone),
  ...appBaseInfo(phone),
  deviceOrientation: 'portrait',
  wifiEnabled: phone.networkType === 'wifi',
  locationEnabled: true,
  bluetoothEnabled: true,
})

/** The capsule in the corner. */
function menuButton(phone: Phone) {
  const { screenWidth, statusBarHeight } = phone.host.device()
  const width = 87
  const height = 32
  const right = screenWidth - 7
  const top = statusBarHeight + (NAVIGATION_HEIGHT - height) / 2
  return { width, height, top, bottom: top + height, left: right - width, right }
}

function information(phone: Phone) {
  return {
    getSystemInfoSync: () => systemInfo(phone),
    getSystemInfo: asyncApi('getSystemInfo', phone, (_, settle) => settle.ok(systemInfo(phone))),
    getSystemInfoAsync: asyncApi('getSystemInfoAsync', phone, (_, settle) => settle.ok(systemInfo(phone))),
    getWindowInfo: () => windowInfo(phone),
    getDeviceInfo: () => deviceInfo(phone),
    getAppBaseInfo: () => appBaseInfo(phone),
    getSystemSetting: () => ({ bluetoothEnabled: true, locationEnabled: true, wifiEnabled: true }),
    getMenuButtonBoundingClientRect: () => menuButton(phone),
    getNetworkType: asyncApi('getNetworkType', phone, (_, settle) =>
      settle.ok({ networkType: phone.networkType, hasSystemProxy: false }),
    ),
    onNetworkStatusChange: phone.onNetworkStatusChange.on,
    offNetworkStatusChange: phone.onNetworkStatusChange.off,
    getBatteryInfoSync: () => ({ level: 100, isCharging: true }),
    getBatteryInfo: asyncApi('getBatteryInfo', phone, (_, settle) => settle.ok({ level: 100, isCharging: true })),
  }
}

function listeners(phone: Phone) {
  const idle = () => new Listeners(phone)
  const [pageNotFound, theme, resize, memory, keyboard, capture] = [idle(), idle(), idle(), idle(), idle(), idle()]
  const api = {
    onAppShow: phone.onShow.on,
    offAppShow: phone.onShow.off,
    onAppHide: phone.onHide.on,
    offAppHide: phone.onHide.off,
    onError: phone.onError.on,
    offError: phone.onError.off,
    onUnhandledRejection: phone.onUnhandledRejection.on,
    offUnhandledRejection: phone.onUnhandledRejection.off,
    onPageNotFound: pageNotFound.on,
    offPageNotFound: pageNotFound.off,
    onThemeChange: theme.on,
    offThemeChange: theme.off,
    onWindowResize: resize.on,
    offWindowResize: resize.off,
    onMemoryWarning: memory.on,
    offMemoryWarning: memory.off,
    onKeyboardHeightChange: keyboard.on,
    offKeyboardHeightChange: keyboard.off,
    onUserCaptureScreen: capture.on,
    offUserCaptureScreen: capture.off,
  }
  return { api, pageNotFound, keyboard }
}

/** Functions that do nothing here but succeed, as they would on a phone. */
const ACKNOWLEDGED = [
  'vibrateShort',
  'vibrateLong',
  'makePhoneCall',
  'setKeepScreenOn',
  'showShareMenu',
  'hideShareMenu',
  'updateShareMenu',
  'reportEvent',
  'setScreenBrightness',
  'addPhoneContact',
  'openLocation',
  'openDocument',
  'setVisualEffectOnCapture',
  'loadFontFace',
  'setBackgroundFetchToken',
  'setTopBarText',
  'exitMiniProgram',
  'hideKeyboard',
] as const

function acknowledged(phone: Phone) {
  return Object.fromEntries(
    ACKNOWLEDGED.map((name) => [
      name,
      asyncApi(name, phone, (_, settle) => {
        const planned = phone.takeFailure(name)
        if (planned) settle.fail(planned.reason)
        else settle.ok()
      }),
    ]),
  )
}

const logger = (phone: Phone) => ({
  debug: (...parts: unknown[]) => phone.host.log('log', ...parts),
  info: (...parts: unknown[]) => phone.host.log('log', ...parts),
  log: (...parts: unknown[]) => phone.host.log('log', ...parts),
  warn: (...parts: unknown[]) => phone.host.log('warn', ...parts),
  error: (...parts: unknown[]) => phone.host.log('error', ...parts),
  setFilterMsg: () => {},
  addFilterMsg: () => {},
})

/** Builds everything that needs nothing but the phone. */
export function createSystem(phone: Phone) {
  const { api, pageNotFound, keyboard } = listeners(phone)
  return {
    pageNotFound,
    keyboard,
    api: {
      ...information(phone),
      ...api,
      ...acknowledged(phone),
      env: { USER_DATA_PATH },
      nextTick: (run: unknown) => {
        const call = functionOf(run)
        if (call) phone.deliver(() => void call())
      },
      arrayBufferToBase64: (buffer: unknown) => (isArrayBuffer(buffer) ? base64Encode(new Uint8Array(buffer)) : ''),
      base64ToArrayBuffer: (text: unknown) => toArrayBuffer(base64Decode(stringOf(text))),
      getLogManager: () => logger(phone),
      getRealtimeLogManager: () => logger(phone),
      getUpdateManager: () => ({
        onCheckForUpdate: (run: unknown) => phone.deliver(() => void functionOf(run)?.({ hasUpdate: false })),
        onUpdateReady: () => {},
        onUpdateFailed: () => {},
        applyUpdate: () => {},
      }),
      getPerformance: () => ({ now: () => phone.clock.now(), getEntries: () => [], mark: () => {} }),
      reportAnalytics: () => {},
      reportMonitor: () => {},
      setInnerAudioOption: () => {},
    },
  }
}
