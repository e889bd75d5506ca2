/** How PostgREST words a request that does not fit the schema. */
import type { DataProblem } from '../../../data/errors.ts'
import type { ComputedRelationship, KeyRelationship, Relationship } from '../../../data/relationships.ts'
import { assertNever } from '../../../kernel/errors.ts'
import { RestError } from './errors.ts'

export const describeProblem = (problem: DataProblem): RestError => {
  switch (problem.kind) {
    case 'relation_unknown':
      return new RestError(404, {
        code: 'PGRST205',
        message: `Could not find the table '${problem.schema}.${problem.name}' in the schema cache`,
        hint: problem.similar === null ? null : `Perhaps you meant the table '${problem.schema}.${problem.similar}'`,
      })
    case 'relationship_unknown':
      return unknownRelationship(problem)
    case 'relationship_ambiguous':
      return ambiguousRelationship(problem)
    case 'column_unknown':
      return new RestError(400, {
        code: '42703',
        message: `column ${problem.relation === '' ? JSON.stringify(problem.column) : `${problem.relation}.${problem.column}`} does not exist`,
        hint:
          problem.similar === null
            ? null
            : `Perhaps you meant to reference the column "${problem.relation}.${problem.similar}".`,
      })
    case 'payload_column_unknown':
      return new RestError(400, {
        code: 'PGRST204',
        message: `Could not find the '${problem.column}' column of '${problem.relation}' in the schema cache`,
      })
    case 'function_unknown':
      return unknownFunction(problem)
    case 'function_ambiguous':
      return ambiguousFunction(problem)
    default:
      return describeMisuse(problem)
  }
}

type Misuse = Extract<
  DataProblem,
  {
    kind:
      | 'not_embedded'
      | 'order_not_to_one'
      | 'embed_filter'
      | 'aggregates_disabled'
      | 'not_implemented'
      | 'put_filters'
      | 'too_complex'
      | 'max_affected_call'
  }
>

const describeMisuse = (problem: Misuse): RestError => {
  switch (problem.kind) {
    case 'not_embedded':
      return new RestError(400, {
        code: 'PGRST108',
        message: `'${problem.name}' is not an embedded resource in this request`,
        hint: `Verify that '${problem.name}' is included in the 'select' query parameter.`,
      })
    case 'order_not_to_one':
      return new RestError(400, {
        code: 'PGRST118',
        message: `A related order on '${problem.target}' is not possible`,
        details: `'${problem.origin}' and '${problem.target}' do not form a many-to-one or one-to-one relationship`,
      })
    case 'embed_filter':
      return new RestError(400, {
        code: 'PGRST120',
        message: `Bad operator on the '${problem.name}' embedded resource`,
        details: 'Only is null or not is null filters are allowed on embedded resources',
      })
    case 'aggregates_disabled':
      return new RestError(400, { code: 'PGRST123', message: 'Use of aggregate functions is not allowed' })
    case 'not_implemented':
      return new RestError(400, { code: 'PGRST127', message: 'Feature not implemented', details: problem.what })
    case 'put_filters':
      return new RestError(405, {
        code: 'PGRST105',
        message: "Filters must include all and only primary key columns with 'eq' operators",
      })
    case 'too_complex':
      return new RestError(400, { code: 'PGRST100', message: problem.what })
    case 'max_affected_call':
      return new RestError(400, {
        code: 'PGRST128',
        message: 'Function must return SETOF or TABLE when max-affected preference is used with handling=strict',
      })
    default:
      return assertNever(problem)
  }
}

const unknownRelationship = (problem: Extract<DataProblem, { kind: 'relationship_unknown' }>): RestError => {
  const { origin, target, hint, schema, similar } = problem
  const using = hint === null ? '' : ` using the hint '${hint}'`
  return new RestError(400, {
    code: 'PGRST200',
    message: `Could not find a relationship between '${origin}' and '${target}' in the schema cache`,
    details: `Searched for a foreign key relationship between '${origin}' and '${target}'${using} in the schema '${schema}', but no matches were found.`,
    hint: similar === null ? null : `Perhaps you meant '${similar.name}' instead of '${similar.of}'.`,
  })
}

// --- ambiguity

const ambiguousRelationship = (problem: Extract<DataProblem, { kind: 'relationship_ambiguous' }>): RestError => {
  const keys = problem.candidates.filter((each) => each.kind === 'key')
  const choices = keys.map((each) => `'${each.target.name}!${hintOf(each)}'`).join(', ')
  return new RestError(300, {
    code: 'PGRST201',
    message: `Could not embed because more than one relationship was found for '${problem.origin}' and '${problem.target}'`,
    details: problem.candidates.map(candidate),
    hint: `Try changing '${problem.target}' to one of the following: ${choices}. Find the desired relationship in the 'details' key.`,
  })
}

const hintOf = (each: KeyRelationship): string => each.junction?.relation.name ?? each.constraint

const candidate = (each: Relationship) => ({
  cardinality: each.kind === 'key' ? each.cardinality : each.toOne ? 'many-to-one' : 'one-to-many',
  embedding: `${each.origin.name} with ${each.target.name}`,
  relationship: each.kind === 'key' ? keyText(each) : computedText(each),
})

const computedText = (each: ComputedRelationship): string => `${each.function.schema}.${each.function.name}`

const keyText = ({ junction, constraint, origin, target, pairs }: KeyRelationship): string => {
  if (junction === null) {
    return `${constraint} using ${origin.name}(${pairs.map(([near]) => near).join(', ')}) and ${target.name}(${pairs.map(([, far]) => far).join(', ')})`
  }
  const columns = (list: KeyRelationship['pairs']) => list.map(([, column]) => column).join(', ')
  return `${junction.relation.name} using ${junction.originConstraint}(${columns(junction.originPairs)}) and ${junction.targetConstraint}(${columns(junction.targetPairs)})`
}

// --- functions

const unknownFunction = (problem: Extract<DataProblem, { kind: 'function_unknown' }>): RestError => {
  const { schema, name, keys, body, similar } = problem
  const full = `${schema}.${name}`
  const single = body === 'text' || body === 'xml' || body === 'bytea'
  const list = keys.join(', ')
  const signature = single ? '' : keys.length === 0 ? ' without parameters' : `(${list})`
  const parameters = keys.length === 0 ? ' without parameters' : ` with parameter${keys.length > 1 ? 's' : ''} ${list}`
  const searched = single
    ? ` with a single unnamed ${body} parameter`
    : `${parameters}${body === 'json' ? ' or with a single unnamed json/jsonb parameter' : ''}`
  return new RestError(404, {
    code: 'PGRST202',
    message: `Could not find the function ${full}${signature} in the schema cache`,
    details: `Searched for the function ${full}${searched}, but no matches were found in the schema cache.`,
    hint: similar === null ? null : `Perhaps you meant to call the function ${schema}.${similar}`,
  })
}

const ambiguousFunction = ({ candidates }: Extract<DataProblem, { kind: 'function_ambiguous' }>): RestError => {
  const signatures = candidates.map(
    (each) =>
      `${each.schema}.${each.name}(${each.inputs.map((input) => `${input.name} => ${input.typeName}`).join(', ')})`,
  )
  return new RestError(300, {
    code: 'PGRST203',
    message: `Could not choose the best candidate function between: ${signatures.join(', ')}`,
    hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
  })
}
