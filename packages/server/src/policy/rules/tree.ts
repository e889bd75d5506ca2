/** Security rules as trees, as the database parsed them (`bson.parse_rule`). */
import { isObject, type Json, type JsonObject } from '../../kernel/json.ts'

export type RuleTree =
  | { readonly op: 'literal'; readonly value: Json }
  | { readonly op: 'name'; readonly name: 'auth' | 'doc' | 'now' | 'request' }
  | { readonly op: 'member'; readonly of: RuleTree; readonly name: string }
  | { readonly op: 'element'; readonly of: RuleTree; readonly index: RuleTree }
  | { readonly op: 'get'; readonly path: RuleTree }
  | { readonly op: 'list'; readonly items: readonly RuleTree[] }
  | { readonly op: 'template'; readonly parts: readonly RuleTree[] }
  | { readonly op: 'and' | 'or'; readonly left: RuleTree; readonly right: RuleTree }
  | { readonly op: 'not' | 'negative'; readonly item: RuleTree }
  | { readonly op: 'compare' | 'compute'; readonly sign: string; readonly left: RuleTree; readonly right: RuleTree }
  | { readonly op: 'choice'; readonly if: RuleTree; readonly then: RuleTree; readonly else: RuleTree }

export type RuleOperation = 'read' | 'create' | 'update' | 'delete'

/** One condition for each operation. */
export type RuleTrees = Readonly<Record<RuleOperation, RuleTree>>

/** What the database stores is what its parser made; only the outline is checked. */
export const readTrees = (json: Json | undefined): RuleTrees | null => {
  if (!isObject(json)) return null
  const operations: readonly RuleOperation[] = ['read', 'create', 'update', 'delete']
  if (!operations.every((each) => isObject(json[each]))) return null
  return json as JsonObject & RuleTrees // See above.
}
