/** What WXS has beyond JavaScript: getRegExp, getDate, and `constructor` as the name of a type. */

/** getRegExp(pattern, flags). */
export const wxsRegExp = (pattern: string, flags?: string): RegExp => new RegExp(pattern, flags)

/** getDate(...) with the parameters of Date. */
export const wxsDate = (...args: readonly unknown[]): Date => Reflect.construct(Date, args)

/** `x.constructor` was renamed by the build to this property, whose value is the type's name. */
export function wxsTypes(): void {
  if (Object.hasOwn(Object.prototype, '$wxsType')) return
  Object.defineProperty(Object.prototype, '$wxsType', {
    get(this: unknown) {
      return Object.prototype.toString.call(this).slice(8, -1)
    },
    enumerable: false,
  })
}
