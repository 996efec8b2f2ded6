import { type Finding, objectName } from './finding.ts';
import type { AuditedFunction, DefaultGrants, SecuritySnapshot } from './snapshot.ts';
import { isPlatforms } from './table-findings.ts';

const open = new Set(['anon', 'PUBLIC']);

/** Findings on functions, grants and default privileges. */
export function accessFindings(snapshot: SecuritySnapshot): Finding[] {
  return [
    ...snapshot.functions.filter((routine) => !isPlatforms(routine)).flatMap(functionFindings),
    ...grantFindings(snapshot),
    ...snapshot.schemas.flatMap(({ schema, makers }) =>
      makers.length === 0
        ? []
        : [
            {
              rule: 'schema-create' as const,
              object: schema,
              what: `${makers.join(' and ')} can create objects in the schema`,
              remedy: `revoke create on schema ${schema} from public, ${makers.join(', ')};`,
            },
          ],
    ),
    ...snapshot.defaults.flatMap(defaultFindings),
  ];
}

function functionFindings({ schema, signature, isDefiner, settings, executors }: AuditedFunction): Finding[] {
  const found: Finding[] = [];
  if (isDefiner && !settings.some((setting) => setting.startsWith('search_path='))) {
    const remedy = `alter function ${signature} set search_path = '';`;
    found.push({
      rule: 'definer-search-path',
      object: signature,
      what: 'security definer without a search_path',
      remedy,
    });
  }
  const remedy = `revoke execute on function ${signature} from public, anon;`;
  if (executors.includes('anon')) {
    if (isDefiner)
      found.push({
        rule: 'definer-for-anon',
        object: signature,
        what: 'security definer that anon may execute',
        remedy,
      });
    else if (schema !== 'storage')
      found.push({ rule: 'function-for-anon', object: signature, what: 'function that anon may execute', remedy });
  }
  return found;
}

/** In `storage` the platform grants all to everybody, and leaves the rest to row-level security. */
function grantFindings({ tables, sequences }: SecuritySnapshot): Finding[] {
  const relations = [
    ...tables.map(({ columnGrants, grants, ...table }) => ({ ...table, of: '', grants: [...grants, ...columnGrants] })),
    ...sequences.map((sequence) => ({ ...sequence, of: 'sequence ' })),
  ];
  return relations.flatMap(({ schema, name, owner, of, grants }) => {
    const given = grants.filter(({ role }) => open.has(role));
    if (schema === 'storage' || isPlatforms({ owner }) || given.length === 0) return [];
    const object = objectName(schema, name);
    const privileges = [...new Set(given.flatMap((grant) => grant.privileges))].sort();
    const what = `${[...new Set(given.map(({ role }) => role))].join(' and ')} may ${privileges.join(', ')}`;
    return [{ rule: 'granted-to-anon', object, what, remedy: `revoke all on ${of}${object} from public, anon;` }];
  });
}

function defaultFindings({ schema, owner, objects, grants }: DefaultGrants): Finding[] {
  if (schema === 'storage' || isPlatforms({ owner })) return [];
  const roles = grants.flatMap(({ role }) => (open.has(role) ? [role.toLowerCase()] : []));
  // Without a schema they are PostgreSQL's own: everybody may execute a new function. That one is found on the function.
  const given = schema === null && objects === 'functions' ? roles.filter((role) => role !== 'public') : roles;
  if (given.length === 0 || (schema === null && objects === 'types')) return [];
  const where = schema === null ? '' : ` in schema ${schema}`;
  return [
    {
      rule: 'default-privileges',
      object: `${objects}${where} made by ${owner}`,
      what: `${given.join(' and ')} get privileges on new ${objects}`,
      remedy: `alter default privileges for role ${owner}${where} revoke all on ${objects} from ${given.join(', ')};`,
    },
  ];
}
